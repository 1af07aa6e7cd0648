"""What is printed from the code: schema.graphql and docs/access.md. ``make schema`` writes both."""

from __future__ import annotations

from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    django.setup()
    from portal.graphql.access import as_markdown
    from portal.graphql.schema import schema

    (ROOT / "schema.graphql").write_text(schema.as_str() + "\n")
    (ROOT / "docs" / "access.md").write_text(as_markdown())


if __name__ == "__main__":
    main()
