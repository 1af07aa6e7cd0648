"""docs/security.md names tests, files and settings that are there, and leaves out no requirement of levels 1 and 2."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
# Numbers and levels of OWASP ASVS 5.0.0.
LEVELS = {
    row["number"]: row["level"]
    for row in csv.DictReader((ROOT / "tests" / "data" / "asvs-5.0.csv").read_text().splitlines())
}
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if re.match(r"\| V\d+\.\d+\.\d+ \|", line)
]
_FILES = r"(?:[\w.-]+/)*[\w.-]+\.(?:py|js|md|graphql|toml|html|csv)"
NAMED = sorted(set(re.findall(rf"`({_FILES})(?:(::?)([^`]+))?`", PAGE)))


def test_each_number_of_both_levels_stands_there_once_in_order() -> None:
    assert sorted(LEVELS.values()) == ["1"] * 70 + ["2"] * 183
    assert [row[0] for row in ROWS] == list(LEVELS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_each_says_how_it_stands_and_why(row: list[str]) -> None:
    _number, asks, stands, why = row
    assert stands in ("met", "accepted", "open", "not applicable")
    assert asks
    assert why


@pytest.mark.parametrize(("path", "kind", "name"), NAMED, ids=lambda part: str(part))
def test_what_is_named_is_there(path: str, kind: str, name: str) -> None:
    text = (ROOT / path).read_text()
    if kind == "::":
        assert f"def {name}(" in text
    elif kind:
        assert name in text


def test_links_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in PAGE.splitlines()
        if line.startswith("#")
    }
    for path, anchor in re.findall(r"\]\((?!https)([^)#]*)#?([^)]*)\)", PAGE):
        assert (ROOT / "docs" / path).exists(), path
        assert path or anchor in headings, anchor
