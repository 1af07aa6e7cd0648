"""Search finds a name whatever its case, composition or alphabet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.references import ALPHABET, new_reference
from common.search import fold, search_key


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("българия", "България"),  # case 63
        ("Ivanov", "Иванов"),
        ("иванов", "ИВАНОВ"),
        ("Shterev", "Щерев"),
        ("yordan", "Йордан"),
        ("й", "и\u0306"),  # й pasted from macOS
        ("и\u0306ордан", "Йордан"),
        ("sofia", "София"),
        ("strasse", "Straße"),
        ("ЪГЛОВ", "Ъглов"),
        ("aglov", "Ъглов"),
        ("ｗｉｄｅ", "Wide"),
        ("ivan  petrov", "Иван Петров"),
    ],
)
def test_finds(query: str, name: str) -> None:
    assert fold(query) in search_key(name)


@given(st.text(), st.text())
def test_folding_twice_changes_nothing_and_every_part_is_found(one: str, other: str) -> None:
    assert fold(fold(one)) == fold(one)
    assert fold(one) in search_key(one, other)


def test_references_are_speakable() -> None:
    made = {new_reference("C") for _ in range(500)}
    assert len(made) == 500
    assert len(ALPHABET) == 32
    assert not set("0O1I") & set(ALPHABET)
    for reference in made:
        assert reference.startswith("C-")
        assert len(reference) == 11
        assert set(reference[2:].replace("-", "")) <= set(ALPHABET)
