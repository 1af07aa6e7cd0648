"""Money for people: one formatter, so that page, API, mail and receipt never show two versions of an amount."""

from __future__ import annotations

import re
from copy import copy

from babel.numbers import NumberFormatError, parse_decimal

from billing.currencies import exponent
from billing.errors import AmountUnreadable, MoneyInvalid
from billing.money import Money
from common.formatting import locale

_TYPED = re.compile(r"[-+]?[0-9.,]+")


def format_money(money: Money) -> str:
    """The amount in the active language, with as many digits as ISO 4217 gives its currency."""
    pattern = copy(locale().currency_formats["standard"])
    digits = exponent(money.currency)
    pattern.frac_prec = (digits, digits)
    formatted: str = pattern.apply(money.amount, locale(), currency=money.currency, currency_digits=False)
    return formatted


def read_money(text: str, currency: str) -> Money:
    """The amount that somebody typed as pages write it in the active language, or with a point: 1 172,80 or 1172.80.

    Raises MoneyInvalid for what could be two amounts, for more digits than the currency has, and for what is none.
    """
    typed = re.sub(r"[\s\u00a0\u202f]", "", text)
    if not _TYPED.fullmatch(typed):
        # What reads for a language takes 1_0, 1e1 and digits of other scripts for ten.
        raise AmountUnreadable(text=text)
    try:
        return Money.parse(typed, currency)
    except MoneyInvalid:
        if re.fullmatch(r"[0-9]+,[0-9]{1,2}", typed):
            return Money.parse(typed.replace(",", "."), currency)
        try:
            read = parse_decimal(typed, locale=locale(), strict=True)
        except (NumberFormatError, ValueError):
            raise AmountUnreadable(text=text) from None
        return Money.parse(f"{read:f}", currency)
