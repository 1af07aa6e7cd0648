"""The list in README.md, read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("README.md")


@dataclass(frozen=True, slots=True)
class Change:
    """One line: what somebody does, the test, and with which text instead of which it fails."""

    what: str
    test: str
    path: str
    old: str
    new: str


def changes() -> Iterator[Change]:
    for line in LIST.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| ") and len(cells) == 5 and cells[1].startswith("`"):
            yield Change(cells[0].strip("| "), *(cell.strip("` |") if cell != "``" else "" for cell in cells[1:]))
