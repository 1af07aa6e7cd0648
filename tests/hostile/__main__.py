"""Make each change of the list in a copy, and see that its test fails: ``python -m tests.hostile [WORD]``, by hand.

WORD: only the lines that have it. On SQLite; takes a few minutes.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tests.hostile.changes import ROOT, Change, changes

COPY = ROOT / "build" / "hostile"


def copy() -> None:
    """The project as it is committed, with this one's environment and messages."""
    subprocess.run(["rm", "-rf", COPY], check=True)
    subprocess.run(["git", "clone", "-q", ROOT, COPY], check=True)
    (COPY / ".venv").symlink_to(ROOT / ".venv")
    for compiled in (ROOT / "portal" / "locale").rglob("*.mo"):
        (COPY / compiled.relative_to(ROOT)).write_bytes(compiled.read_bytes())


def fails(change: Change) -> bool:
    """Whether its test fails with it."""
    path = COPY / change.path
    held = path.read_text()
    path.write_text(held.replace(change.old, change.new))
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n0", "-x", "-p", "no:cacheprovider", change.test],
            cwd=COPY, env={**os.environ, "WAYOUT_TEST_DB": "sqlite"}, capture_output=True, check=False,
        )  # fmt: skip
    finally:
        path.write_text(held)
    # 1: tests failed. Anything else is no answer.
    return ran.returncode == 1


def main() -> int:
    """The number of changes that no test notices."""
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    copy()
    unnoticed = 0
    for change in changes():
        if word in change.what:
            noticed = fails(change)
            unnoticed += not noticed
            print("noticed  " if noticed else "UNNOTICED", change.what, flush=True)
    return unnoticed


if __name__ == "__main__":
    sys.exit(main())
