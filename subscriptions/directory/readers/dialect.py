"""How a file writes amounts and days: 1,234.50 or 1 234,50, 25.11.2026 or 11/25/2026. Found out, never guessed.

A cell that can be read in one way only is read so, and says how the file is written. One that can be read in two is read as
the others say; where they say nothing, or different things, it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from billing.currencies import exponent
from subscriptions.directory import values
from subscriptions.directory.faults import Fault, Refused
from subscriptions.directory.tables import FileTable

Said = TypeVar("Said")
Unsaid = TypeVar("Unsaid")
_SPACES = "[ \u00a0\u202f'’]"
_SPACED = re.compile(rf"[+-]?[0-9]{{1,3}}(?:{_SPACES}[0-9]{{3}})+(?:[.,][0-9]+)?")
# Thousands are parted by the mark that does not stand before the fraction.
_NUMBER = re.compile(
    r"[+-]?(?:[0-9]{1,3}(?P<group>[.,])[0-9]{3}(?:(?P=group)[0-9]{3})*|[0-9]+)(?:(?!(?P=group))[.,][0-9]+)?"
)
_THREE = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_DAY = re.compile(r"([0-9]{1,2})([./])([0-9]{1,2})\2([0-9]{4})")


@dataclass(frozen=True, slots=True)
class Dialect:
    """``decimal``: the point or the comma, empty where nobody knows; ``day_first``: None where nobody knows.

    ``zone``: in which a day begins.
    """

    zone: ZoneInfo
    decimal: str = ""
    day_first: bool | None = None

    @classmethod
    def of(cls, table: FileTable, zone: ZoneInfo, amounts: Sequence[str], days: Sequence[str]) -> Dialect:
        """What the cells of these fields say of how they are written. Looks through the file. Raises FileUnreadable."""
        decimals, orders = set[str](), set[bool]()
        for _line, cells in table:
            if not isinstance(cells, Refused):
                decimals |= {mark for field in amounts if (mark := _decimal_of(cells.get(field, "")))}
                orders |= {first for field in days if (first := _day_first(cells.get(field, ""))) is not None}
        return cls(zone, _only(decimals, ""), _only(orders, None))

    def amount(self, cell: str, currency: str) -> int:
        """Minor units of ``currency``. Raises Refused, also for what could be two amounts."""
        written = _joined(cell)
        if not _NUMBER.fullmatch(written):
            raise Refused(Fault.NOT_AN_AMOUNT, value=cell[:_SHOWN], currency=currency)
        digits = exponent(currency)
        mark = _decimal_of(written) or self.decimal
        if _THREE.fullmatch(written) and not mark:
            # Our own way to write an amount, where it takes so many digits.
            if digits < len("000") or "," in written:
                raise Refused(Fault.NOT_CLEAR, value=cell[:_SHOWN])
            mark = "."
        grouping = {".": ",", ",": "."}.get(mark, "")
        plain = written.replace(grouping, "").replace(mark or ".", ".")
        whole, point, fraction = plain.partition(".")
        if len(fraction) > digits:
            # 12.500000 is 12.50; nothing else is rounded.
            fraction = fraction[:digits] + fraction[digits:].rstrip("0")
        return values.amount(f"{whole.removeprefix('+')}{point if fraction else ''}{fraction}", currency)

    def instant(self, cell: str) -> datetime:
        """A date and time with an offset, or the start of a day in ``zone``. Raises Refused."""
        found = _DAY.fullmatch(cell)
        if not found:
            return values.instant(cell, self.zone)
        day_first = _day_first(cell)
        if day_first is None:
            day_first = self.day_first
        if day_first is None:
            raise Refused(Fault.NOT_CLEAR, value=cell)
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        day, month = (first, second) if day_first else (second, first)
        try:
            return values.instant(date(year, month, day).isoformat(), self.zone)
        except ValueError:
            raise Refused(Fault.NOT_A_DATE, value=cell) from None


def _joined(cell: str) -> str:
    """Without the spaces between thousands; spaces elsewhere make it no amount."""
    return re.sub(_SPACES, "", cell) if _SPACED.fullmatch(cell) else cell


def _decimal_of(cell: str) -> str:
    """The mark that can only stand before a fraction; empty where there is none, or it may be one between thousands."""
    written = _joined(cell)
    if _THREE.fullmatch(written):
        return ""
    marks = re.findall("[.,]", written)
    if not marks or not _NUMBER.fullmatch(written):
        return ""
    if len(set(marks)) == 1 and len(marks) > 1:
        return {".": ",", ",": "."}[marks[0]]
    return str(marks[-1])


def _day_first(cell: str) -> bool | None:
    """Whether the day stands before the month: where points are between them, or the other one is no month."""
    found = _DAY.fullmatch(cell)
    if not found:
        return None
    if found[2] == "." or int(found[1]) > _MONTHS:
        return True
    return False if int(found[3]) > _MONTHS else None


def _only(said: Collection[Said], otherwise: Unsaid) -> Said | Unsaid:
    """What all say; ``otherwise`` where none does, or not all the same."""
    return next(iter(said)) if len(said) == 1 else otherwise


_MONTHS = 12
_SHOWN = 60
