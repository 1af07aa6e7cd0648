"""docs/sync.md says of the sync document what parsing.py reads: each field, which are needed, lengths, words, limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.sync.bodies import SHORT
from subscriptions.directory import parsing, reading
from subscriptions.directory.document import CHANNELS, MAX_GRANTS, MAX_MEMBERS, STATUSES, USER_STATES, Section
from subscriptions.directory.faults import Fault, Refused
from subscriptions.directory.runs import MAX_AT_ONCE
from subscriptions.directory.staging import PIECE
from subscriptions.models import SyncState

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "sync.md").read_text()
ZONE = ZoneInfo("Europe/Sofia")
FIELDS: Mapping[Section, Mapping[str, Any]] = {
    Section.TENANT: parsing._TENANT,
    Section.SUBSCRIPTIONS: parsing._SUBSCRIPTION,
    Section.CHARGES: parsing._CHARGE,
    Section.USERS: parsing._USER,
    Section.GROUPS: parsing._GROUP,
    Section.LICENSES: parsing._LICENSE,
}
# Rows with all that may be needed of them.
WHOLE: Mapping[Section, Mapping[str, Any]] = {
    Section.TENANT: {"name": "Bakery"},
    Section.SUBSCRIPTIONS: {"id": "s", "product": "Suite", "seats": 1},
    Section.CHARGES: {
        "id": "c", "subscription": "s", "currency": "EUR", "charged": "1.00", "paid": "1.00", "tax": 0,
        "period": {"start": "2026-11-01", "end": "2026-12-01"},
    },
    Section.USERS: {"id": "u", "principalName": "u@bakery.example"},
    Section.GROUPS: {"id": "g", "name": "Staff"},
    Section.LICENSES: {"subscription": "s", "user": "u", "via": "direct"},
}  # fmt: skip
ROW = re.compile(r"^\| (\*\*)?`(\w+)`(?:\*\*)? \| ([^|]*) \|", re.MULTILINE)


def part(heading: str) -> str:
    return PAGE.partition(f"\n{heading}\n")[2].partition("\n#")[0]


def rows_of(section: Section) -> list[tuple[bool, str, str]]:
    return [(bool(bold), name, kind) for bold, name, kind in ROW.findall(part(f"### `{section}`"))]


@pytest.mark.parametrize("section", Section)
def test_each_field_stands_in_its_table(section: Section) -> None:
    assert sorted(name for _, name, _ in rows_of(section)) == sorted(FIELDS[section])


@pytest.mark.parametrize("section", Section)
def test_what_is_bold_is_needed_and_nothing_else(section: Section) -> None:
    whole = WHOLE[section]
    needed = {
        name for name in whole if misses(section, {field: whole[field] for field in whole if field != name}, name)
    }
    assert {name for bold, name, _ in rows_of(section) if bold} == needed


def misses(section: Section, row: Mapping[str, Any], field: str) -> bool:
    """Whether it is refused for want of that field."""
    try:
        parsing.read_row(section, row, 1, ZONE)
    except Refused as error:
        return (error.fault, error.path) == (Fault.MISSING, (field,))
    return False


@pytest.mark.parametrize("section", Section)
def test_texts_are_as_long_as_the_page_says(section: Section) -> None:
    for _, name, kind in rows_of(section):
        if said := re.fullmatch(r"text, (\d+)", kind):
            read, limit = FIELDS[section][name], int(said[1])
            assert read("x" * limit) == "x" * limit
            with pytest.raises(Refused):
                read("x" * (limit + 1))


@pytest.mark.parametrize(("field", "known"), [("status", STATUSES), ("channel", CHANNELS), ("state", USER_STATES)])
def test_the_words_are_those_that_are_read(field: str, known: Mapping[str, Any]) -> None:
    said = re.findall(rf"^\| `{field}` \| (\w+) \| (.*) \|$", part("### Words"), re.MULTILINE)
    meant = {word: meaning for meaning, words in said for word in re.findall(r"`(\w+)`", words)}
    assert meant == {word: str(meaning) for word, meaning in known.items()}


def test_limits_and_states_are_those_of_the_code() -> None:
    assert (MAX_AT_ONCE, SHORT, reading.MAX_JSON, reading.MAX_LINE) == (1_000, 4_000_000, 16_000_000, 32_000_000)
    assert (reading.MAX_ROWS, MAX_MEMBERS, MAX_GRANTS, PIECE) == (5_000_000, 500_000, 1_000, 10_000)
    for said in (
        "| 1,000 rows and 4 MB |", "| 16 MB; in lines the rest |", "32 MB each |", "| 5,000,000 |", "pieces of 10,000 rows",
        "list of ids of users, 500,000", "list of ids or products, 1,000",
    ):  # fmt: skip
        assert said in PAGE
    states = re.findall(r"^\| `(\w+)` \|", part("## While it is applied"), re.MULTILINE)
    assert sorted(states) == sorted(SyncState)


def test_each_section_says_what_is_absent() -> None:
    said = re.findall(r"^\| `(\w+)` \|", part("## Complete lists"), re.MULTILINE)
    assert sorted(said) == sorted(section for section in Section if section is not Section.TENANT)
