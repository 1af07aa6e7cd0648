"""The message catalogs: find every sentence in code and templates, and keep the catalogs complete.

``python -m tests.catalogs`` adds new sentences to each catalog and drops those that are gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from common.languages import DEFAULT_LANGUAGE, Language

ROOT = Path(__file__).resolve().parent.parent
APPS = sorted(path.parent for path in ROOT.glob("*/apps.py"))
# The code is written in the default.
TRANSLATED = [language.value for language in Language if language.value != DEFAULT_LANGUAGE]
LOCALES = ROOT / "portal" / "locale"
KEYWORDS = {"_": None, "gettext": None, "gettext_lazy": None, "ngettext": (1, 2), "N_": None, "Plural": (1, 2)}
_CALL = re.compile(
    r"""\b(n?gettext)\((u?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))(?:, ?(u?(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')))?"""
)
# Django's own Bulgarian writes months with a capital; a catalog of ours overrides it.
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
Message = str | tuple[str, str]


def messages() -> dict[Message, set[str]]:
    """Every sentence, with the files that say it."""
    found: dict[Message, set[str]] = {month: {"django"} for month in MONTHS}
    for app in APPS:
        for path in sorted(app.rglob("*")):
            if path.suffix == ".py" and "migrations" not in path.parts:
                for message in _in_python(path):
                    found.setdefault(message, set()).add(str(path.relative_to(ROOT)))
            elif path.suffix in (".html", ".txt"):
                for message in _in_template(path):
                    found.setdefault(message, set()).add(str(path.relative_to(ROOT)))
    return found


def _in_python(path: Path) -> Iterator[Message]:
    for _line, message, _comments, _context in extract_from_file("python", path, keywords=KEYWORDS):  # type: ignore[arg-type]
        yield (message[0], message[1]) if isinstance(message, tuple) else message


def _in_template(path: Path) -> Iterator[Message]:
    for call, one, many in _CALL.findall(templatize(path.read_text())):
        texts = [eval(text) for text in (one, many) if text]
        yield (texts[0], texts[1]) if call == "ngettext" else texts[0]


def catalog(language: str) -> Catalog:
    """The catalog as it stands in the repository."""
    path = LOCALES / language / "LC_MESSAGES" / "django.po"
    with path.open("rb") as file:
        return read_po(file, locale=language)


def update(language: str) -> None:
    """Write the catalog with exactly the sentences there are; new ones wait for a translation."""
    path = LOCALES / language / "LC_MESSAGES" / "django.po"
    old = catalog(language) if path.exists() else Catalog(locale=language)
    new = Catalog(
        locale=language,
        project="Wayout",
        header_comment="# What Wayout says in another language. `make messages` adds new sentences.",
        msgid_bugs_address="none",
        last_translator="Wayout",
        language_team="Wayout",
        creation_date=old.creation_date,
        revision_date=old.revision_date,
        fuzzy=False,
    )
    for message, files in sorted(messages().items(), key=lambda item: str(item[0])):
        known = old.get(message if isinstance(message, str) else message[0])
        new.add(message, string=known.string if known else None, locations=[(file, 0) for file in sorted(files)])
    path.parent.mkdir(parents=True, exist_ok=True)
    written = BytesIO()
    write_po(written, new, width=110, include_lineno=False)
    path.write_bytes(written.getvalue())


if __name__ == "__main__":
    for code in TRANSLATED:
        update(code)
        missing = [
            str(m.id)
            for m in catalog(code)
            if m.id and not (all(m.string) if isinstance(m.string, tuple) else m.string)
        ]
        print(f"{code}: {len(missing)} sentences without a translation", *missing, sep="\n  ")
