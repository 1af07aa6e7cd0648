"""Stripe's units and ours, both ways."""

from __future__ import annotations

import pytest

from billing.money import Money
from billing.providers.stripe.amounts import from_stripe, to_stripe


@pytest.mark.parametrize(
    ("currency", "ours", "theirs"),
    [
        ("EUR", 1234, 1234), ("JPY", 500, 500), ("HUF", 1045, 1045), ("TWD", 80045, 80045),
        # Whole ones for us, hundredths for Stripe.
        ("ISK", 5, 500), ("UGX", 5, 500),
        # The other way round.
        ("MGA", 1000, 10),
        ("KWD", 5120, 5120), ("BHD", 10, 10), ("JOD", 10, 10), ("OMR", 10, 10), ("TND", 10, 10),
    ],
)  # fmt: skip
def test_what_is_sent_is_read_as_it_was(currency: str, ours: int, theirs: int) -> None:
    assert to_stripe(Money(ours, currency)) == theirs
    assert from_stripe(theirs, currency) == ours


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("MGA", 1001), ("MGA", 99), ("KWD", 5124), ("BHD", 1), ("JOD", 11), ("OMR", 19), ("TND", 101)],
)
def test_what_stripe_cannot_take_is_never_rounded(currency: str, amount: int) -> None:
    assert to_stripe(Money(amount, currency)) is None


@pytest.mark.parametrize(
    ("amount", "currency", "read"),
    [(550, "ISK", 5), (99, "UGX", 0), (-1, "ISK", -1), (7, "KWD", 7), (7, "", 7), (7, "???", 7)],
)
def test_whatever_stripe_says_is_read(amount: int, currency: str, read: int) -> None:
    assert from_stripe(amount, currency) == read
