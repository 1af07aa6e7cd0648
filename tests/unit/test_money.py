"""Money is exact, in the digits that ISO 4217 gives its currency."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from billing.currencies import EXPONENTS, currency_on, succeeds
from billing.errors import MoneyInvalid
from billing.formatting import format_money
from billing.money import Money, largest_remainder, round_half_up


@pytest.mark.parametrize(
    ("text", "currency", "minor_units"),
    [("20.00", "EUR", 2000), ("0.5", "EUR", 50), ("1234", "JPY", 1234), ("10.000", "KWD", 10000), ("-3", "EUR", -300)],
)
def test_parse(text: str, currency: str, minor_units: int) -> None:
    assert Money.parse(text, currency) == Money(minor_units, currency)


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("1.005", "EUR"),
        ("1.5", "JPY"),
        ("NaN", "EUR"),
        ("1e3", "EUR"),
        ("٣", "EUR"),
        ("", "EUR"),
        ("1", "XXX"),
        ("1,5", "EUR"),
    ],
)
def test_what_is_no_amount_is_refused(text: str, currency: str) -> None:
    with pytest.raises(MoneyInvalid):
        Money.parse(text, currency)


def test_a_float_is_refused() -> None:
    with pytest.raises(MoneyInvalid):
        Money(12.34, "EUR")  # type: ignore[arg-type]
    with pytest.raises(MoneyInvalid):
        Money.parse(12.34, "EUR")  # type: ignore[arg-type]
    with pytest.raises(MoneyInvalid):
        Money(True, "EUR")


def test_two_currencies_do_not_add_up() -> None:
    with pytest.raises(MoneyInvalid):
        Money(1, "EUR") + Money(1, "USD")


@pytest.mark.parametrize(
    ("minor_units", "currency", "amount"),
    [(1234, "EUR", "12.34"), (1234, "JPY", "1234"), (1234, "KWD", "1.234"), (1, "CLF", "0.0001"), (0, "EUR", "0.00")],
)
def test_amount(minor_units: int, currency: str, amount: str) -> None:
    # Case 43: 1234 minor units print as 12.34, and 1234 JPY as 1234.
    assert Money(minor_units, currency).amount == Decimal(amount)
    assert str(Money(minor_units, currency)) == f"{amount} {currency}"


@pytest.mark.parametrize(
    ("language", "minor_units", "currency", "formatted"),
    [
        ("en", 123450, "EUR", "€1,234.50"),
        ("bg", 1857, "EUR", "18,57 €"),
        ("bg", 123450, "EUR", "1 234,50 €"),
        ("en", 1234, "JPY", "JP¥1,234"),
        ("bg", 10000, "KWD", "10,000 KWD"),
        # Babel alone prints these without the digits that ISO 4217 gives them.
        ("en", 1234, "RSD", "RSD12.34"),
        ("en", 1234, "IQD", "IQD1.234"),
    ],
)
def test_formatted_by_the_language_with_the_digits_of_iso(
    language: str, minor_units: int, currency: str, formatted: str
) -> None:
    with translation.override(language):
        shown = format_money(Money(minor_units, currency))
    assert shown.replace("\u00a0", " ").replace("\u202f", " ") == formatted


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(Fraction(1, 2), 1), (Fraction(3, 2), 2), (Fraction(-1, 2), -1), (Fraction(49, 100), 0), (Fraction(5, 2), 3)],
)
def test_round_half_up(value: Fraction, rounded: int) -> None:
    assert round_half_up(value) == rounded


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=8))
def test_parts_add_up_and_are_within_one_of_their_share(total: int, weights: list[int]) -> None:
    parts = largest_remainder(total, weights)
    assert sum(parts) == total
    if sum(weights):
        assert all(
            abs(part - Fraction(total * weight, sum(weights))) < 1 for part, weight in zip(parts, weights, strict=True)
        )


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.sampled_from(sorted(EXPONENTS)))
def test_an_amount_survives_being_written_and_read(minor_units: int, currency: str) -> None:
    money = Money(minor_units, currency)
    assert Money.parse(f"{money.amount:f}", currency) == money


@pytest.mark.parametrize(
    ("minor_units", "currency", "euro_cents"),
    [
        (5260, "BGN", 2689),
        (195583, "BGN", 100000),
        (1, "BGN", 1),
        (-5260, "BGN", -2689),
        (0, "BGN", 0),
        (75345, "HRK", 10000),
        (100, "HRK", 13),
        (1234, "EUR", 1234),
    ],
)
def test_what_was_paid_in_a_currency_that_ended_is_told_in_its_successor(
    minor_units: int, currency: str, euro_cents: int
) -> None:
    assert Money(minor_units, currency).into("EUR") == Money(euro_cents, "EUR")


@pytest.mark.parametrize(("of", "into"), [("EUR", "BGN"), ("USD", "EUR"), ("BGN", "USD"), ("HRK", "BGN")])
def test_nothing_is_exchanged(of: str, into: str) -> None:
    with pytest.raises(MoneyInvalid):
        Money(100, of).into(into)


def test_a_currency_ends_with_its_last_day() -> None:
    assert currency_on("BGN", date(2025, 12, 31)) == "BGN"
    assert currency_on("BGN", date(2026, 1, 1)) == "EUR"
    assert currency_on("EUR", date(2026, 1, 1)) == "EUR"
    assert succeeds("EUR", "HRK")
    assert not succeeds("EUR", "USD")
