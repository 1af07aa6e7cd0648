"""Tables in whatever shape people's tools left them, row by row. Pure.

UTF-8 with and without BOM, UTF-16, windows-1251; comma, semicolon or tab; English, Bulgarian or French headers.
A file that cannot be read raises FileUnreadable; a row that cannot is collected with its line and reason.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Generic, TypeVar

from billing.errors import ChargeInvalid, MoneyInvalid
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
_LONGEST_LINE = 1_000_000


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


Row = TypeVar("Row")
# Opens the file; more than once, because its encoding has to be found out first.
Source = Callable[[], BinaryIO]


class FileTable(Generic[Row]):
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
            except (RowUnreadable, ChargeInvalid, MoneyInvalid) as error:
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
    def of(cls, table: FileTable[Row]) -> Parsed[Row]:
        """All of the table, at once."""
        return cls(list(table), table.problems)


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
