"""How a value of a document is read: each function takes what JSON had, and raises Refused. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from billing.currencies import EXPONENTS
from billing.errors import MoneyInvalid
from billing.money import Money
from billing.periods import EARLIEST, LATEST, MAX_MONTHS, local_midnight
from common.search import fold
from subscriptions.directory.faults import Fault, Refused

Read = Callable[[Any], Any]
Word = TypeVar("Word")
MAX_SEATS = 10_000_000
# Characters without a meaning as text; what steers a screen or a direction is refused in names.
_NOT_TEXT = ("Cc", "Cs", "Cf", "Zl", "Zp")
_JOINERS = "\u200c\u200d"


def text(limit: int, *, can_be_empty: bool = False) -> Read:
    """One line of text, without surrounding space."""

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise Refused(Fault.WRONG_TYPE, wanted=_TEXT)
        found = value.strip()
        if not found.isprintable() and not is_one_line(found):
            raise Refused(Fault.CHARACTERS)
        if len(found) > limit:
            raise Refused(Fault.TOO_LONG, limit=limit)
        if not found and not can_be_empty:
            raise Refused(Fault.MISSING)
        return found

    return read


def is_one_line(value: str) -> bool:
    """Whether it can stand in a header, a file name or a table: no line break, nothing that is not text."""
    return all(unicodedata.category(c) not in _NOT_TEXT or c in _JOINERS for c in value)


def boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refused(Fault.WRONG_TYPE, wanted="true/false")
    return value


def whole(least: int, limit: int) -> Read:
    """A whole number from ``least`` to ``limit``; true and 1.0 are none."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refused(Fault.WRONG_TYPE, wanted="1, 2, 3 …")
        if not least <= value <= limit:
            raise Refused(Fault.OUT_OF_RANGE, value=_short(value), least=least, limit=limit)
        return value

    return read


months = whole(1, MAX_MONTHS)
seats = whole(0, MAX_SEATS)


def instant(value: Any, zone: ZoneInfo | None = None) -> datetime:
    """A date and time with an offset; with a ``zone`` a date is that day's start there. Between 2000 and 2100."""
    if not isinstance(value, str):
        raise Refused(Fault.WRONG_TYPE, wanted="2026-11-25T10:00:00+02:00")
    try:
        found = date.fromisoformat(value) if len(value) == _DATE else datetime.fromisoformat(value)
    except ValueError:
        raise Refused(Fault.NOT_A_DATE, value=_short(value)) from None
    if not EARLIEST.year <= found.year < LATEST.year:
        raise Refused(Fault.OUT_OF_RANGE, value=_short(value), least=EARLIEST.year, limit=LATEST.year - 1)
    if isinstance(found, datetime):
        if found.tzinfo is None:
            raise Refused(Fault.NOT_A_DATE, value=_short(value))
        return found.astimezone(UTC)
    if zone is None:
        raise Refused(Fault.NOT_A_DATE, value=_short(value))
    return local_midnight(found, zone)


def currency(value: Any) -> str:
    if not isinstance(value, str) or value not in EXPONENTS:
        raise Refused(Fault.UNKNOWN_CURRENCY, value=_short(value))
    return value


def amount(value: Any, of: str) -> int:
    """Minor units of the currency ``of``, from text or a JSON number that says them exactly."""
    try:
        return Money.parse(_written(value), of).minor_units
    except MoneyInvalid:
        raise Refused(Fault.NOT_AN_AMOUNT, value=_short(value), currency=of) from None


def _written(value: Any) -> str:
    """A number as text. What is neither stays what it is, which is no amount."""
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < _MAX_DIGITS:
        return f"{value:f}"
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)[:_SHOWN]
    return ""


def money(value: Any) -> Money:
    """An object with ``amount`` and ``currency``."""
    if not isinstance(value, Mapping) or not value.keys() <= {"amount", "currency"}:
        raise Refused(Fault.WRONG_TYPE, wanted='{"amount": "12.50", "currency": "EUR"}')
    of = currency(value.get("currency"))
    found = amount(value.get("amount"), of)
    if found < 0:
        raise Refused(Fault.OUT_OF_RANGE, value=_short(value.get("amount")), least=0, limit="…")
    return Money(found, of)


def word(known: Mapping[str, Word]) -> Read:
    """One of ``known``, whatever its case. What is not among them is never guessed."""

    def read(value: Any) -> Word:
        found = known.get(fold(value).replace(" ", "").replace("_", "")) if isinstance(value, str) else None
        if found is None:
            raise Refused(Fault.UNKNOWN_WORD, value=_short(value), known=", ".join(known))
        return found

    return read


def time_zone(value: Any) -> str:
    if not isinstance(value, str) or value not in available_timezones():
        raise Refused(Fault.UNKNOWN_WORD, value=_short(value), known="Europe/Sofia, UTC …")
    return value


def list_of(read: Read, limit: int) -> Read:
    """A list of at most ``limit`` values."""

    def read_all(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Refused(Fault.WRONG_TYPE, wanted="[…]")
        if len(value) > limit:
            raise Refused(Fault.OUT_OF_RANGE, value=len(value), least=0, limit=limit)
        return tuple(_each(read, value))

    return read_all


def _each(read: Read, values: list[Any]) -> Any:
    for number, value in enumerate(values):
        try:
            yield read(value)
        except Refused as error:
            raise error.within(str(number)) from None


def _short(value: Any) -> str:
    """So much of a value that a person finds it."""
    return str(value)[:_SHOWN]


_DATE = len("2026-11-25")
_SHOWN = 60
_MAX_DIGITS = 20
_TEXT = "“…”"
