"""Money as an integer of minor units. Pure: no Django, no clock, no float anywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.currencies import ENDED, exponent
from billing.errors import AmountTooFine, AmountTooLarge, AmountUnreadable, CurrenciesDiffer, MoneyInvalid

_AMOUNT = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,4})?")


# A thousand of the largest charges still fit into a column of 64 bits.
MAX_MINOR_UNITS = 10**15


def round_half_up(value: Fraction) -> int:
    """The nearest integer; a half goes away from zero. The only rounding that money here ever sees."""
    sign = -1 if value < 0 else 1
    return sign * int(abs(value) + Fraction(1, 2))


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """Split ``total`` minor units in the proportion of ``weights`` so that the parts add up to it exactly.

    Every part is its exact share rounded down; the units left over go to the largest remainders, the
    earlier part first. All weights zero: everything goes to the first part.
    """
    whole = sum(weights)
    if whole == 0:
        return [total, *[0] * (len(weights) - 1)]
    shares = [Fraction(total * weight, whole) for weight in weights]
    parts = [share.numerator // share.denominator for share in shares]
    by_remainder = sorted(range(len(parts)), key=lambda i: (parts[i] - shares[i], i))
    for i in by_remainder[: total - sum(parts)]:
        parts[i] += 1
    return parts


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: ``minor_units`` (cents, yen, fils) of an ISO 4217 ``currency``."""

    minor_units: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.minor_units, bool) or not isinstance(self.minor_units, int):
            raise MoneyInvalid
        exponent(self.currency)

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """Read a decimal string such as ``"20.00"``.

        Raises MoneyInvalid for more digits than the currency has, and above what columns and sums hold.
        """
        if not isinstance(text, str) or not _AMOUNT.fullmatch(text):
            raise AmountUnreadable(text=str(text))
        digits = exponent(currency)
        scaled = Decimal(text).scaleb(digits)
        if scaled != scaled.to_integral_value():
            raise AmountTooFine(text=text, currency=currency)
        if abs(scaled) > MAX_MINOR_UNITS:
            raise AmountTooLarge(text=text)
        return cls(int(scaled), currency)

    @property
    def amount(self) -> Decimal:
        """The exact decimal, with as many digits as the currency has: 1234 JPY is 1234, 1234 EUR is 12.34."""
        return Decimal(self.minor_units).scaleb(-exponent(self.currency))

    def into(self, currency: str) -> Money:
        """The same in the successor of a currency that ended: divided by the fixed rate, half up, once per amount.

        As it is where it is in ``currency`` already. Raises MoneyInvalid for any other pair: nothing is exchanged here.
        """
        if currency == self.currency:
            return self
        ended = ENDED.get(self.currency)
        if ended is None or ended.successor != currency:
            raise CurrenciesDiffer(currency=self.currency, other=currency)
        digits = exponent(currency) - exponent(self.currency)
        exact = Fraction(self.minor_units) * Fraction(10) ** digits / ended.factor
        return Money(round_half_up(exact), currency)

    def back_into(self, currency: str) -> Money:
        """The least wrong amount of a currency that ended and became this one."""
        if currency == self.currency:
            return self
        digits = exponent(currency) - exponent(self.currency)
        exact = Fraction(self.minor_units) * Fraction(10) ** digits * ENDED[currency].factor
        return Money(round_half_up(exact), currency)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrenciesDiffer(currency=self.currency, other=other.currency)

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor_units + other.minor_units, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.minor_units - other.minor_units, self.currency)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"
