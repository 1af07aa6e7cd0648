"""What an export says: users, products, charges. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from billing.money import Money
from billing.periods import EARLIEST, LATEST, MAX_MONTHS, MAX_PERIOD, Period, local_midnight
from common.search import fold
from subscriptions.directory.tables import FileTable, Parsed, RowUnreadable, Source

_UNLICENSED = {"", "unlicensed", "нелицензиран", "без лиценз", "sans licence"}
_TRUE = {"true", "да", "yes", "oui", "1"}
# Product names are joined without spaces; a name may itself hold a plus between spaces.
_JOINT = re.compile(r"(?<! )\+(?! )")
_LONGEST = 320
_LONGEST_ID, _LONGEST_NAME = 100, 200
MAX_SEATS = 10_000_000
_STATUSES = {"active", "suspended", "expired", "disabled", "deleted"}


class UserRow(NamedTuple):
    """A user as exported. ``products`` are the names in the licenses cell, each once.

    ``key`` is what makes two spellings of a principal name the same user.
    """

    key: str
    principal_name: str
    display_name: str
    products: tuple[str, ...]
    is_blocked: bool
    is_deleted: bool
    deleted_at: datetime | None
    last_active_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProductRow:
    """A product with its seats; ``status`` empty, ``assigned`` None when the file does not say."""

    title: str
    seats: int
    status: str
    assigned: int | None


@dataclass(frozen=True, slots=True)
class ChargeRow:
    """What was charged for one period, or a correction of it. Amounts in minor units; charged and paid with tax.

    ``provider`` bills the subscription and calls it ``provider_id``; both empty where nobody has to be told of its end.
    """

    line: int
    charge_id: str
    tenant: str
    product: str
    subscription_id: str
    seats: int
    currency: str
    charged: int
    tax: int
    paid: int
    in_flight: int
    charged_at: datetime
    period: Period
    term_months: int | None
    corrects: str
    provider: str
    provider_id: str

    @property
    def fact(self) -> tuple[str, str, str]:
        """What it speaks of: a charge of a subscription, or a correction of one."""
        return self.subscription_id or self.product, self.charge_id, self.corrects


def said_once(rows: Sequence[ChargeRow]) -> tuple[Sequence[ChargeRow], Sequence[tuple[ChargeRow, int]]]:
    """The first row of each fact; and apart, each with the line of another, rows of one fact that are not the same."""
    by_fact: dict[tuple[str, str, str], list[ChargeRow]] = defaultdict(list)
    for row in rows:
        by_fact[row.fact].append(row)
    found, contradicted = [], []
    for first, *others in by_fact.values():
        different = [row for row in others if replace(row, line=first.line) != first]
        if not different:
            found.append(first)
            continue
        contradicted += [(row, first.line if row in different else different[0].line) for row in (first, *others)]
    return found, contradicted


def read_users(source: Source, file: str) -> FileTable[UserRow]:
    """The active users list, which may be long. Raises FileUnreadable."""
    return FileTable(source, file, ("principal", "licenses"), _user)


def read_products(source: Source, file: str) -> Parsed[ProductRow]:
    """The products list. Raises FileUnreadable."""
    return Parsed.of(FileTable(source, file, ("title", "total"), _product))


def read_charges(source: Source, file: str, zone: ZoneInfo) -> Parsed[ChargeRow]:
    """The charges; a date without a time is that day in ``zone``. What was paid has to be said. Raises FileUnreadable."""
    wanted = ("charge_id", "product", "charged", "settled", "currency", "period_start", "period_end")
    return Parsed.of(FileTable(source, file, wanted, lambda cells, line: _charge(cells, line, zone)))


def read_instant(text: str, zone: ZoneInfo) -> datetime:
    """An ISO date and time with an offset, or a date: that day's start in ``zone``. Raises RowUnreadable."""
    try:
        found = date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        raise RowUnreadable(f"“{text}” is not a date or a date and time") from None
    if not EARLIEST.year <= found.year < LATEST.year:
        raise RowUnreadable(f"“{text}” is not between {EARLIEST.year} and {LATEST.year}")
    if not isinstance(found, datetime):
        return local_midnight(found, zone)
    instant = found
    if instant.tzinfo is None:
        raise RowUnreadable(f"“{text}” has no offset: write 2026-11-25T10:00:00+02:00")
    return instant


def _user(cells: Mapping[str, str], line: int) -> UserRow:
    principal, display = cells["principal"], cells.get("display", "")
    if not principal:
        raise RowUnreadable("the user principal name is empty")
    if len(principal) > _LONGEST or len(display) > _LONGEST:
        raise RowUnreadable(f"a name is longer than {_LONGEST} characters")
    if "\x00" in "".join(cells.values()):
        raise RowUnreadable("it contains a NUL character")
    _require_one_line(principal, cells["licenses"])
    if any(len(name) > _LONGEST_NAME for name in _products(cells["licenses"])):
        raise RowUnreadable(f"a product name is longer than {_LONGEST_NAME} characters")
    return UserRow(
        key=principal.casefold(),
        principal_name=principal,
        display_name=" ".join(display.split()),
        products=_products(cells["licenses"]),
        is_blocked=_is_true(cells.get("blocked", "")),
        is_deleted=bool(cells.get("deleted")),
        deleted_at=_lenient(cells.get("deleted", "")),
        last_active_at=_lenient(cells.get("last_active", "")),
    )


def _require_one_line(*cells: str) -> None:
    """A line break is mostly a quote that nobody closed, which swallowed the rows below."""
    if any(c < " " for cell in cells for c in cell):
        raise RowUnreadable("it contains a control character or a line break: is a quote not closed?")


# The same few texts come again and again.


@lru_cache(maxsize=1_000)
def _products(cell: str) -> tuple[str, ...]:
    names = [] if fold(cell) in _UNLICENSED else [name.strip() for name in _JOINT.split(cell)]
    return tuple(dict.fromkeys(name for name in names if name))


@lru_cache(maxsize=100)
def _is_true(cell: str) -> bool:
    return fold(cell) in _TRUE


@lru_cache(maxsize=1_000)
def _lenient(text: str) -> datetime | None:
    """A timestamp that is nice to have."""
    try:
        return read_instant(text, ZoneInfo("UTC")) if text else None
    except RowUnreadable:
        return None


def _product(cells: Mapping[str, str], line: int) -> ProductRow:
    status = fold(cells.get("status", ""))
    if status and status not in _STATUSES:
        raise RowUnreadable(f"“{cells['status']}” is not a status")
    _require_one_line(*cells.values())
    if not cells["title"]:
        raise RowUnreadable("the product title is empty")
    if len(cells["title"]) > _LONGEST_NAME:
        raise RowUnreadable(f"the product title is longer than {_LONGEST_NAME} characters")
    assigned = cells.get("assigned", "")
    return ProductRow(
        cells["title"],
        _count(cells["total"], "total licenses"),
        status.upper(),
        _count(assigned, "assigned licenses") if assigned else None,
    )


def _charge(cells: Mapping[str, str], line: int, zone: ZoneInfo) -> ChargeRow:
    _require_one_line(*cells.values())
    for name, limit in _LONGEST_CELLS.items():
        if len(cells.get(name, "")) > limit:
            raise RowUnreadable(f"{name} is longer than {limit} characters")
    currency = cells["currency"]
    net, tax = Money.parse(cells["charged"], currency), Money.parse(cells.get("tax") or "0", currency)
    if not cells["charge_id"] or not cells["product"]:
        raise RowUnreadable("the charge id or the product is empty")
    period = Period(read_instant(cells["period_start"], zone), read_instant(cells["period_end"], zone))
    if period.start >= period.end:
        raise RowUnreadable("the period ends before it starts")
    if period.end - period.start > MAX_PERIOD:
        raise RowUnreadable("its period is longer than 10 years")
    corrects, paid = cells.get("corrects", ""), cells["settled"]
    if not paid and not corrects:
        raise RowUnreadable("settled is empty: write 0 where nothing was paid")
    term = cells.get("term_months", "")
    return ChargeRow(
        line=line,
        charge_id=cells["charge_id"],
        tenant=cells.get("tenant", ""),
        product=cells["product"],
        subscription_id=cells.get("subscription_id", ""),
        seats=_count(cells.get("seats") or "0", "seats"),
        currency=currency,
        charged=(net + tax).minor_units,
        tax=tax.minor_units,
        paid=Money.parse(paid or "0", currency).minor_units,
        in_flight=Money.parse(cells.get("in_flight") or "0", currency).minor_units,
        charged_at=read_instant(cells.get("charged_at") or cells["period_start"], zone),
        period=period,
        term_months=_months(term) if term else None,
        corrects=corrects,
        provider=cells.get("provider", ""),
        provider_id=cells.get("provider_id", ""),
    )


_LONGEST_CELLS = {
    "charge_id": _LONGEST_ID,
    "corrects": _LONGEST_ID,
    "subscription_id": _LONGEST_ID,
    "provider_id": _LONGEST_ID,
    "product": _LONGEST_NAME,
}


def _count(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise RowUnreadable(f"{what}: “{text}” is not a whole number from 0 on")
    if int(text) > MAX_SEATS:
        raise RowUnreadable(f"{what}: “{text}” is more than {MAX_SEATS:,}")
    return int(text)


def _months(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= MAX_MONTHS):
        raise RowUnreadable(f"term: “{text}” is not a number of months from 1 to {MAX_MONTHS}")
    return int(text)
