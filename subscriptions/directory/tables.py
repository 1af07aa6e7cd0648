"""Tables in whatever shape people's tools left them, row by row. Pure.

UTF-8 with and without BOM, UTF-16, windows-1251; comma, semicolon or tab. Which columns there are, and in which languages,
is said by the reader of each kind of file (readers/). A file that cannot be read raises FileUnreadable.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import BinaryIO

from common.lines import one_line
from common.search import fold
from subscriptions.directory.faults import Fault, Refused

_LONGEST_LINE = 1_000_000
_SHOWN = 12
# A line that Excel, or PowerShell, writes above the headers.
_ABOVE = ("sep=", "#type ")

# Opens the file; more than once, because its encoding has to be found out first.
Source = Callable[[], BinaryIO]
# A field, and the headers that it goes by: the first is the one that is asked for.
Headers = Mapping[str, Sequence[str]]
# Cells by field, without surrounding space.
Cells = Mapping[str, str]


class FileUnreadable(Exception):
    """Not a file of its kind: an unknown encoding, or headers that are not there. Nothing was imported."""


class FileTable:
    """The rows of one file, read from it each time that they are looked through: memory does not grow with the file.

    ``unknown``: the headers that say nothing here. Iterating raises FileUnreadable.
    """

    def __init__(self, source: Source, file: str, columns: Headers, required: Sequence[str]) -> None:
        self.file = file
        self._source = source
        field_of = {header: name for name, headers in columns.items() for header in headers}
        self._encoding, self._delimiter, self._above, self._header = _shape(source, file, field_of)
        self._fields = _fields(self._header, field_of)
        known = set(self._fields.values())
        self.unknown = [name for at, name in enumerate(self._header) if at not in known and name.strip()]
        if missing := [columns[name] for name in required if name not in self._fields]:
            raise FileUnreadable(f"{file}: the first line has no column {_wanted(missing, self.unknown)}")

    def has(self, field: str) -> bool:
        return field in self._fields

    def header_of(self, field: str) -> str:
        """The header of a field, as the file writes it."""
        return one_line(self._header[self._fields[field]]) if field in self._fields else field

    def __iter__(self) -> Iterator[tuple[int, Cells | Refused]]:
        """First line and cells of each row, or what is wrong with the row."""
        width, fields = len(self._header), self._fields.items()
        with io.TextIOWrapper(self._source(), self._encoding, newline="") as text:
            reader = csv.reader(text, delimiter=self._delimiter)
            try:
                for _ in range(self._above + 1):
                    next(reader, None)
                line = reader.line_num + 1
                for row in reader:
                    if self._swallowed(row):
                        yield line, Refused(Fault.QUOTE_OPEN)
                    elif any(row):
                        is_whole = len(row) == width
                        cells = {name: row[column].strip() for name, column in fields} if is_whole else None
                        yield line, cells or Refused(Fault.COLUMNS_DIFFER, count=len(row), wanted=width)
                    line = reader.line_num + 1
            except csv.Error as error:
                raise FileUnreadable(f"{self.file}: line {reader.line_num} cannot be read ({error})") from None
            except UnicodeError:
                raise FileUnreadable(f"{self.file}: it changed while it was read") from None

    def _swallowed(self, row: Sequence[str]) -> bool:
        """Whether a cell of several lines has a line that is a row itself: then nobody knows what was in between."""
        least = max(1, len(self._header) - 1)
        lines = (line for cell in row if "\n" in cell for line in cell.split("\n")[1:])
        return any(line.count(self._delimiter) >= least for line in lines)


def _shape(source: Source, file: str, field_of: Mapping[str, str]) -> tuple[str, str, int, Sequence[str]]:
    """Encoding, delimiter, how many lines are above the headers, and the headers, of a file that nobody wrote them down for.

    The encoding is the one in which all of it can be read and its headers name a known column; the delimiter the one that
    makes the most of them.
    """
    found: Sequence[str] = ()
    for encoding in _encodings(source):
        try:
            with io.TextIOWrapper(source(), encoding, newline="") as text:
                first = text.readline(_LONGEST_LINE)
                above = int(first.lower().lstrip('"').startswith(_ABOVE))
                first = text.readline(_LONGEST_LINE) if above else first
                while text.read(_LONGEST_LINE):
                    pass
        except UnicodeError:
            continue
        delimiter = max(",;\t", key=lambda candidate: len(_fields(_header([first], candidate), field_of)))
        with io.TextIOWrapper(source(), encoding, newline="") as text:
            header = _header(islice(text, above, None), delimiter)
        if _fields(header, field_of):
            return encoding, delimiter, above, header
        found = found or header
    raise FileUnreadable(
        f"{file}: no column of the first line is known, in any encoding that this reads (UTF-8, UTF-16, windows-1251)."
        f" There are: {', '.join(name[:60] for name in found[:_SHOWN]) or 'none'}"
    )


def _encodings(source: Source) -> Sequence[str]:
    with source() as raw:
        start = raw.read(2)
    with_mark = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return ("utf-16",) if with_mark else ("utf-8-sig", "utf-16-le", "cp1251")


def _header(lines: Iterable[str], delimiter: str) -> Sequence[str]:
    try:
        return next(csv.reader(lines, delimiter=delimiter), [])
    except csv.Error:
        return []


def _fields(header: Sequence[str], field_of: Mapping[str, str]) -> dict[str, int]:
    """Where each field stands. Of two columns that are the same field, the first."""
    found: dict[str, int] = {}
    for column, name in enumerate(header):
        if field := field_of.get(fold(name)):
            found.setdefault(field, column)
    return found


def _wanted(missing: Sequence[Sequence[str]], unknown: Sequence[str]) -> str:
    """What was looked for, and what it may be called instead."""
    near = [name for headers in missing for name in get_close_matches(fold(headers[0]), [*map(fold, unknown)], n=1)]
    names = ", ".join(f"“{headers[0]}”" for headers in missing)
    return f"{names}; is it {', '.join(f'“{name}”' for name in near)}?" if near else names
