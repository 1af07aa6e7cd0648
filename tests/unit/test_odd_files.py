"""Files that were cut, mixed up or damaged: rows, problems or one sentence, never a traceback, and never somebody else's row."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.directory.document import Row, Section
from subscriptions.directory.faults import Problem
from subscriptions.directory.packing import pack, unpack
from subscriptions.directory.readers.charges import read_charges
from subscriptions.directory.readers.products import read_products
from subscriptions.directory.readers.users import UsersFile
from subscriptions.directory.report import problem_message
from subscriptions.directory.tables import FileUnreadable, Source
from tests.builders import SOFIA

EXAMPLES = Path(__file__).parents[1] / "data" / "examples"
Read = Callable[[Source], Iterable[tuple[Section, Row] | Problem]]
READERS: dict[str, Read] = {
    "active-users-utf8-bom.csv": lambda source: UsersFile(source, "f.csv"),
    "active-users-semicolon-bg.csv": lambda source: UsersFile(source, "f.csv"),
    "active-users-cp1251.csv": lambda source: UsersFile(source, "f.csv"),
    "products.csv": lambda source: read_products(source, "f.csv", SOFIA),
    "charges.csv": lambda source: read_charges(source, "f.csv", SOFIA, "contoso.example"),
}
FILES = {name: (EXAMPLES / name).read_bytes() for name in READERS}


def read(name: str, data: bytes) -> list[tuple[Section, Row] | Problem] | None:
    """What is found; None where it is no such file. What comes in can be kept, what does not can be said."""
    try:
        found = list(READERS[name](partial(BytesIO, data)))
    except FileUnreadable:
        return None
    rows = [one for one in found if not isinstance(one, Problem)]
    assert list(unpack(pack(rows))) == rows
    for problem in found:
        if isinstance(problem, Problem):
            assert problem_message(problem)
            assert problem.line
            assert problem.path.startswith("f.csv")
    return found


@pytest.mark.parametrize("name", READERS)
def test_the_examples_are_read(name: str) -> None:
    found = read(name, FILES[name])
    assert found
    assert not [one for one in found if isinstance(one, Problem)]


@given(st.sampled_from(sorted(READERS)), st.data())
def test_damaged_bytes(name: str, data: st.DataObject) -> None:
    damaged = bytearray(FILES[name])
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), max_size=12)):
        damaged[at] = byte
    read(name, bytes(damaged))


@given(st.sampled_from(sorted(READERS)), st.data())
def test_half_a_file(name: str, data: st.DataObject) -> None:
    whole = FILES[name]
    start = data.draw(st.sampled_from([0, 0, 0, data.draw(st.integers(0, len(whole)))]))
    found = read(name, whole[start : data.draw(st.integers(0, len(whole)))])
    if start == 0 and found:
        # A row that came in whole is one of the file's; the last may be cut.
        everything = set(map(repr, _without_lines(read(name, whole) or ())))
        assert len([one for one in _without_lines(found) if repr(one) not in everything]) <= 2


def _without_lines(found: Iterable[tuple[Section, Row] | Problem]) -> list[Any]:
    return [one[1]._replace(line=0) for one in found if not isinstance(one, Problem)]


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=300), st.integers(0, 5))
def test_bytes_of_something_else(name: str, data: bytes, lines: int) -> None:
    read(name, data)
    header = b"\n".join(FILES[name].split(b"\n")[: lines + 1])
    read(name, header + data)
    read(name, data + header)


@given(st.sampled_from(sorted(READERS)), st.randoms(use_true_random=False), st.sampled_from(",;\t"))
def test_columns_in_another_order_say_the_same(name: str, random: Any, delimiter: str) -> None:
    encoding = "cp1251" if "cp1251" in name else "utf-8-sig"
    dialect = ";" if ";" in FILES[name].decode(encoding).split("\n")[0] else ","
    table = list(csv.reader(io.StringIO(FILES[name].decode(encoding), newline=""), delimiter=dialect))
    order = list(range(len(table[0])))
    random.shuffle(order)
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter).writerows([[row[at] for at in order] for row in table])
    assert read(name, written.getvalue().encode()) == read(name, FILES[name])


@given(st.lists(st.lists(st.text(max_size=30), min_size=1, max_size=9), max_size=6))
def test_whatever_stands_in_cells(cells: list[list[str]]) -> None:
    headers = {
        "active-users-utf8-bom.csv": [
            "User principal name",
            "Licenses",
            "Display name",
            "Group",
            "User_ID",
            "User state",
        ],
        "products.csv": ["Product title", "Total licenses", "Status", "Price", "Currency", "Ends_at", "Partner_URL"],
        "charges.csv": ["charge_id", "product", "charged", "settled", "currency", "period_start", "period_end", "tax"],
    }
    for name, header in headers.items():
        written = io.StringIO(newline="")
        wide = [[*row, *[""] * len(header)][: len(header)] for row in cells]
        csv.writer(written).writerows([header, *wide])
        read(name, written.getvalue().encode("utf-8", "replace"))
