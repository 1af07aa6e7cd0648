"""Money for people: one formatter, so that page, API, mail and receipt never show two versions of an amount."""

from __future__ import annotations

from copy import copy

from billing.currencies import exponent
from billing.money import Money
from common.formatting import locale


def format_money(money: Money) -> str:
    """The amount in the active language, with as many digits as ISO 4217 gives its currency."""
    pattern = copy(locale().currency_formats["standard"])
    digits = exponent(money.currency)
    pattern.frac_prec = (digits, digits)
    formatted: str = pattern.apply(money.amount, locale(), currency=money.currency, currency_digits=False)
    return formatted
