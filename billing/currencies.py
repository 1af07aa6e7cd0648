"""The currencies of ISO 4217, how many digits each has, and what became of those that ended. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from billing.errors import CurrencyUnknown

# ISO 4217, the exponents as the standard lists them. Display libraries disagree with it for a few
# (IQD, ALL, RSD, LBP), so arithmetic never asks one.
_BY_EXPONENT = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP "
    "GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL "
    "MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN "
    "QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD "
    "TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
EXPONENTS: dict[str, int] = {code: exponent for exponent, codes in _BY_EXPONENT.items() for code in codes.split()}


def exponent(currency: str) -> int:
    """Digits after the point in ``currency`` (JPY 0, EUR 2, KWD 3). Raises CurrencyUnknown."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise CurrencyUnknown(currency=str(currency)) from None


@dataclass(frozen=True, slots=True)
class Ended:
    """A currency that nothing is charged in after ``last_day``: ``factor`` of it are one of its ``successor``."""

    last_day: date
    successor: str
    factor: Fraction


# The rates that the Council of the EU fixed. One more is one more row.
ENDED: dict[str, Ended] = {
    "BGN": Ended(date(2025, 12, 31), "EUR", Fraction("1.95583")),
    "HRK": Ended(date(2022, 12, 31), "EUR", Fraction("7.53450")),
}


def currency_on(currency: str, day: date) -> str:
    """What amounts of ``currency`` are shown and promised in on a local ``day``: its successor once it has ended."""
    ended = ENDED.get(currency)
    return ended.successor if ended and day > ended.last_day else currency


def succeeds(currency: str, other: str) -> bool:
    """Whether ``currency`` took the place of ``other``."""
    return other in ENDED and ENDED[other].successor == currency
