"""Amounts as Stripe counts them: whole numbers like ours, of some currencies in other units than ISO 4217 has. Pure.

Source: https://docs.stripe.com/currencies, "Zero-decimal currencies", "Three-decimal currencies" and "Special cases".
"""

from __future__ import annotations

import math
from fractions import Fraction

from billing.currencies import exponent
from billing.money import Money

# Digits after the point where Stripe has other ones. ISK and UGX lost theirs; Stripe has kept them, as zeros.
_DIGITS = {"ISK": 2, "UGX": 2, "MGA": 0}
# Its partners have no thousandths.
_IN_TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def to_stripe(money: Money) -> int | None:
    """What Stripe is told for ``money``; None where it takes no amount as fine as that."""
    scale = _scale(money.currency)
    exact = money.minor_units * scale
    if exact.denominator > 1 or (money.currency in _IN_TENS and exact % 10):
        return None
    return int(exact)


def from_stripe(amount: int, currency: str) -> int:
    """Our minor units of what Stripe says; as it is in a currency that is none here.

    A fraction that the currency has no longer is let go: nobody can be paid it.
    """
    return math.floor(amount / _scale(currency))


def _scale(currency: str) -> Fraction:
    """How many of Stripe's units one of ours is."""
    return Fraction(10) ** (_DIGITS[currency] - exponent(currency)) if currency in _DIGITS else Fraction(1)
