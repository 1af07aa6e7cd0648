"""Read what admins export: users, products, charges as CSV, in whatever shape their tools left it. Pure.

UTF-8 with and without BOM, UTF-16, windows-1251; comma, semicolon or tab; English, Bulgarian or French headers.
A file that cannot be read raises FileUnreadable; a row that cannot is collected with its line and reason.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import BinaryIO, Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from billing.errors import BillingError
from billing.money import Money
from billing.periods import EARLIEST, LATEST, MAX_MONTHS, MAX_PERIOD, Period, local_midnight
from common.search import fold

_HEADERS = {
    "principal": ("user principal name", "основно потребителско име", "nom d'utilisateur", "username"),
    "display": ("display name", "показвано име", "nom complet"),
    "licenses": ("licenses", "лицензи", "licences"),
    "blocked": ("block credential", "блокиране на идентификационни данни", "blocage des informations d'identification"),
    "deleted": ("soft deletion time stamp", "времеви печат на меко изтриване"),
    "last_active": ("last activity date", "последна активност"),
    "title": ("product title", "продукт", "titre du produit"),
    "total": ("total licenses", "общо лицензи", "nombre total de licences"),
    "status": ("status", "състояние"),
    "assigned": ("assigned licenses", "присвоени лицензи", "licences attribuées"),
    "charge_id": ("charge_id",),
    "tenant": ("tenant",),
    "product": ("product",),
    "subscription_id": ("subscription_id",),
    "seats": ("seats",),
    "charged": ("charged",),
    "tax": ("tax",),
    "settled": ("settled",),
    "in_flight": ("in_flight",),
    "currency": ("currency",),
    "charged_at": ("charged_at",),
    "period_start": ("period_start",),
    "period_end": ("period_end",),
    "term_months": ("term_months",),
    "corrects": ("corrects",),
    "provider": ("provider",),
    "provider_id": ("provider_id",),
}
_FIELD_OF = {header: name for name, headers in _HEADERS.items() for header in headers}
_UNLICENSED = {"", "unlicensed", "нелицензиран", "без лиценз", "sans licence"}
_TRUE = {"true", "да", "yes", "oui", "1"}
# Product names are joined without spaces; a name may itself hold a plus between spaces.
_JOINT = re.compile(r"(?<! )\+(?! )")
_LONGEST = 320
_LONGEST_ID, _LONGEST_NAME = 100, 200
MAX_SEATS = 10_000_000
_LONGEST_LINE = 1_000_000
_STATUSES = {"active", "suspended", "expired", "disabled", "deleted"}


class FileUnreadable(Exception):
    """Not a file of its kind: an unknown encoding, or headers that are not there. Nothing was imported."""


class RowUnreadable(Exception):
    """One row that makes no sense; its text says why."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that was left out: its first line in the file, and why."""

    file: str
    line: int
    reason: str


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
    """What was charged for one period, or a correction of it. Amounts in minor units; charged and settled with tax.

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
    settled: int
    in_flight: int
    charged_at: datetime
    period: Period
    term_months: int | None
    corrects: str
    provider: str
    provider_id: str


Row = TypeVar("Row")
# Opens the file; more than once, because its encoding has to be found out first.
Source = Callable[[], BinaryIO]


class Table(Generic[Row]):
    """The rows of one file, read from it each time that they are looked through: memory does not grow with the file.

    ``problems`` are the rows that could not be read the last time. Iterating raises FileUnreadable.
    """

    def __init__(
        self, source: Source, file: str, required: Sequence[str], read_row: Callable[[Mapping[str, str], int], Row]
    ) -> None:
        self.problems: list[RowProblem] = []
        self._source, self._file, self._read_row = source, file, read_row
        self._encoding, self._delimiter, self._header = _shape(source, file)
        self._fields = _fields(self._header)
        if missing := [name for name in required if name not in self._fields]:
            wanted = ", ".join(f"“{_HEADERS[name][0]}”" for name in missing)
            raise FileUnreadable(f"{file}: the first line has no column {wanted}")

    def __iter__(self) -> Iterator[Row]:
        self.problems = []
        for line, cells in self._cells():
            try:
                if isinstance(cells, str):
                    raise RowUnreadable(cells)
                yield self._read_row(cells, line)
            except (RowUnreadable, BillingError) as error:
                self.problems.append(RowProblem(self._file, line, str(error)))

    def _cells(self) -> Iterator[tuple[int, Mapping[str, str] | str]]:
        """Line number and cells by field of every row, or what is wrong with the row."""
        width, fields = len(self._header), self._fields.items()
        with io.TextIOWrapper(self._source(), self._encoding, newline="") as text:
            reader = csv.reader(text, delimiter=self._delimiter)
            try:
                next(reader, None)
                line = reader.line_num + 1
                for row in reader:
                    if self._swallowed(row):
                        yield line, "a quote is not closed: it took in the rows below"
                    elif len(row) == width:
                        yield line, {name: row[column].strip() for name, column in fields}
                    elif any(row):
                        yield line, f"it has {len(row)} columns, the first line has {width}"
                    line = reader.line_num + 1
            except csv.Error as error:
                raise FileUnreadable(f"{self._file}: line {reader.line_num} cannot be read ({error})") from None

    def _swallowed(self, row: Sequence[str]) -> bool:
        """Whether a cell of several lines has a line that is a row itself: then nobody knows what was in between."""
        least = max(1, len(self._header) - 1)
        lines = (line for cell in row if "\n" in cell for line in cell.split("\n")[1:])
        return any(line.count(self._delimiter) >= least for line in lines)


@dataclass(slots=True)
class Parsed(Generic[Row]):
    """The rows of a short file, and the rows that could not be read."""

    rows: list[Row] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)

    @classmethod
    def of(cls, table: Table[Row]) -> Parsed[Row]:
        """All of the table, at once."""
        return cls(list(table), table.problems)


def read_users(source: Source, file: str) -> Table[UserRow]:
    """The active users list, which may be long. Raises FileUnreadable."""
    return Table(source, file, ("principal", "licenses"), _user)


def read_products(source: Source, file: str) -> Parsed[ProductRow]:
    """The products list. Raises FileUnreadable."""
    return Parsed.of(Table(source, file, ("title", "total"), _product))


def read_charges(source: Source, file: str, zone: ZoneInfo) -> Parsed[ChargeRow]:
    """The charges; a date without a time is that day in ``zone``. What was paid has to be said. Raises FileUnreadable."""
    wanted = ("charge_id", "product", "charged", "settled", "currency", "period_start", "period_end")
    return Parsed.of(Table(source, file, wanted, lambda cells, line: _charge(cells, line, zone)))


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


def _shape(source: Source, file: str) -> tuple[str, str, Sequence[str]]:
    """Encoding, delimiter and first line of a file that nobody wrote them down for.

    The encoding is the one in which all of it can be read and its first line names a known column; the delimiter the
    one that makes the most of them.
    """
    with source() as raw:
        start = raw.read(2)
    with_mark = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    for encoding in ("utf-16",) if with_mark else ("utf-8-sig", "utf-16-le", "cp1251"):
        try:
            with io.TextIOWrapper(source(), encoding, newline="") as text:
                first = text.readline(_LONGEST_LINE)
                while text.read(_LONGEST_LINE):
                    pass
        except UnicodeError:
            continue
        delimiter = max(",;\t", key=lambda candidate: len(_fields(_header([first], candidate))))
        with io.TextIOWrapper(source(), encoding, newline="") as text:
            header = _header(text, delimiter)
        if _fields(header):
            return encoding, delimiter, header
    raise FileUnreadable(
        f"{file}: no column of the first line is known, in any encoding that this reads (UTF-8, UTF-16, windows-1251)"
    )


def _header(lines: Iterable[str], delimiter: str) -> Sequence[str]:
    try:
        return next(csv.reader(lines, delimiter=delimiter), [])
    except csv.Error:
        return []


def _fields(header: Sequence[str]) -> dict[str, int]:
    known = ((_FIELD_OF.get(fold(name)), column) for column, name in enumerate(header))
    return {name: column for name, column in known if name}


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
    for name, most in _LONGEST_CELLS.items():
        if len(cells.get(name, "")) > most:
            raise RowUnreadable(f"{name} is longer than {most} characters")
    currency = cells["currency"]
    net, tax = Money.parse(cells["charged"], currency), Money.parse(cells.get("tax") or "0", currency)
    if not cells["charge_id"] or not cells["product"]:
        raise RowUnreadable("the charge id or the product is empty")
    period = Period(read_instant(cells["period_start"], zone), read_instant(cells["period_end"], zone))
    if period.start >= period.end:
        raise RowUnreadable("the period ends before it starts")
    if period.end - period.start > MAX_PERIOD:
        raise RowUnreadable("its period is longer than 10 years")
    corrects, settled = cells.get("corrects", ""), cells["settled"]
    if not settled and not corrects:
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
        settled=Money.parse(settled or "0", currency).minor_units,
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
