"""How a file writes amounts and days is found out from its cells, and what can be read in two ways is asked about."""

from __future__ import annotations

from functools import partial
from io import BytesIO

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from subscriptions.directory.faults import Fault, Refused
from subscriptions.directory.readers.dialect import Dialect
from subscriptions.directory.tables import FileTable
from tests.builders import SOFIA, at

COLUMNS = {"amount": ("amount",), "day": ("day",)}


def dialect_of(*amounts: str, days: tuple[str, ...] = ()) -> Dialect:
    lines = [f"{amount}\t" for amount in amounts] + [f"\t{day}" for day in days]
    data = "\n".join(["amount\tday", *lines, ""]).encode()
    return Dialect.of(FileTable(partial(BytesIO, data), "f.csv", COLUMNS, ()), SOFIA, ["amount"], ["day"])


def refused(dialect: Dialect, cell: str, currency: str | None = "EUR") -> Fault:
    with pytest.raises(Refused) as found:
        dialect.amount(cell, currency) if currency else dialect.instant(cell)
    return found.value.fault


@pytest.mark.parametrize(
    ("cell", "minor_units"),
    [
        ("12", 1200),
        ("12.5", 1250),
        ("535,60", 53560),
        ("5 356,00", 535600),
        ("5\u00a0356,00", 535600),
        ("5\u202f356,00", 535600),
        ("1'234.50", 123450),
        ("1,234.50", 123450),
        ("1.234,50", 123450),
        ("1,234,567", 123456700),
        ("1.234.567", 123456700),
        ("1,234,567.8", 123456780),
        ("-12,50", -1250),
        ("+12.50", 1250),
        ("12.500000", 1250),
        ("12,5000", 1250),
        ("0,1", 10),
        ("0,500", 50),
        ("0.500", 50),
    ],
)
def test_what_can_be_read_in_one_way_is(cell: str, minor_units: int) -> None:
    assert Dialect(SOFIA).amount(cell, "EUR") == minor_units
    # However the rest of the file is written.
    assert Dialect(SOFIA, ".").amount(cell, "EUR") == Dialect(SOFIA, ",").amount(cell, "EUR") == minor_units


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "abc",
        "12,34,5",
        "1.2.3",
        "1,234,5.6",
        "--5",
        "1e3",
        "٣",
        "12..5",
        "1 2",
        "1 23",
        "12 34,50",
        "1  234",
        "1,23.4",
        ".",
        "12.505",
        "12,5050",
    ],
)
@pytest.mark.parametrize("decimal", ["", ".", ","])
def test_what_is_no_amount_is_refused(cell: str, decimal: str) -> None:
    if cell == "12.505" and decimal == ",":
        assert Dialect(SOFIA, decimal).amount(cell, "EUR") == 1250500
        return
    assert refused(Dialect(SOFIA, decimal), cell) in (Fault.NOT_AN_AMOUNT, Fault.NOT_CLEAR)


def test_what_could_be_two_amounts_is_read_as_the_others_say_or_asked_about() -> None:
    assert refused(dialect_of("173,900", "12"), "173,900") == Fault.NOT_CLEAR
    assert refused(dialect_of("173.900"), "173.900") == Fault.NOT_CLEAR
    assert dialect_of("173,900", "12.50").amount("173,900", "EUR") == 17390000
    assert dialect_of("173,900", "12,50").amount("173,900", "EUR") == 17390
    assert refused(dialect_of("12.50", "12,50"), "173,900") == Fault.NOT_CLEAR
    # Three digits are what such an amount has.
    assert dialect_of("12.500").amount("12.500", "KWD") == 12500
    assert refused(dialect_of("12,500"), "12,500", "KWD") == Fault.NOT_CLEAR


@pytest.mark.parametrize(
    ("cell", "instant"),
    [
        ("2026-11-20", "2026-11-19T22:00Z"),
        ("20.11.2026", "2026-11-19T22:00Z"),
        ("1.7.2026", "2026-06-30T21:00Z"),
        ("11/20/2026", "2026-11-19T22:00Z"),
        ("20/11/2026", "2026-11-19T22:00Z"),
        ("2026-11-20T10:00:00+02:00", "2026-11-20T08:00Z"),
        ("2026-11-20 10:00:00Z", "2026-11-20T10:00Z"),
        ("2026-11-20T10:00:00.0000000Z", "2026-11-20T10:00Z"),
    ],
)
def test_days_and_times(cell: str, instant: str) -> None:
    assert Dialect(SOFIA).instant(cell) == at(instant)


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "yesterday",
        "2026-11-25T10:00",
        "2026-13-01",
        "2026-11-25 25:00:00Z",
        "31.02.2026",
        "20.11.26",
        "20/13/2026",
        "20.11.2026 10:00",
    ],
)
def test_what_is_no_day_is_refused(cell: str) -> None:
    assert refused(Dialect(SOFIA), cell, None) == Fault.NOT_A_DATE


def test_a_day_that_could_be_two_is_read_as_the_others_say_or_asked_about() -> None:
    assert refused(dialect_of(days=("05/11/2026",)), "05/11/2026", None) == Fault.NOT_CLEAR
    assert dialect_of(days=("05/11/2026", "05/20/2026")).instant("05/11/2026") == at("2026-05-10T21:00Z")
    assert dialect_of(days=("05/11/2026", "20/05/2026")).instant("05/11/2026") == at("2026-11-04T22:00Z")
    assert refused(dialect_of(days=("20/05/2026", "05/20/2026")), "05/11/2026", None) == Fault.NOT_CLEAR


@given(st.integers(-(10**12), 10**12), st.sampled_from([(",", "."), (".", ","), (" ", ","), ("", "."), ("'", ".")]))
def test_an_amount_that_a_program_wrote_is_read_back_or_asked_about(cents: int, marks: tuple[str, str]) -> None:
    grouping, decimal = marks
    whole, fraction = divmod(abs(cents), 100)
    written = f"{'-' * (cents < 0)}{whole:,}".replace(",", grouping) + f"{decimal}{fraction:02}"
    assert Dialect(SOFIA).amount(written, "EUR") == cents


@given(
    st.text("0123456789., '-+", max_size=12), st.sampled_from(["", ".", ","]), st.sampled_from(["EUR", "JPY", "KWD"])
)
def test_no_text_is_two_amounts(text: str, decimal: str, currency: str) -> None:
    """Whatever is read is read with what is known of the file as without, or not without."""
    try:
        found = Dialect(SOFIA, decimal).amount(text, currency)
        alone = Dialect(SOFIA).amount(text, currency)
    except Refused as error:
        assume(error.fault in (Fault.NOT_AN_AMOUNT, Fault.NOT_CLEAR))
        return
    assert found == alone or currency == "KWD"
