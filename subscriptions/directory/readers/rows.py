"""From the cells of a table to rows of the document, and what every reader says of a cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from common.search import fold
from subscriptions.directory import values
from subscriptions.directory.document import Row, Section
from subscriptions.directory.faults import Fault, Problem, Refused
from subscriptions.directory.tables import Cells, FileTable, Headers, Source

Found = tuple[Section, Row]
Item = TypeVar("Item")

# Words are compared without case and spaces.
_YES = ("yes", "true", "on", "1", "да", "вкл.", "включено", "вярно", "истина", "oui")
_NO = ("no", "false", "off", "0", "не", "изкл.", "изключено", "невярно", "лъжа", "non")
yes_or_no = values.word({**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)})


class FileRows(Generic[Item]):
    """The rows of a file as ``read`` reads them, mostly rows of the document, or what is wrong with each. Read anew each time.

    ``notes``: columns that nobody reads here, and that are none of ``passed_over``: those say nothing that matters.
    Iterating raises FileUnreadable.
    """

    def __init__(
        self, source: Source, file: str, columns: Headers, required: Sequence[str],
        read: Callable[[Cells, int], Item], passed_over: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.table = FileTable(source, file, columns, required)
        self._read = read
        self._passed_over = frozenset(passed_over)

    @property
    def notes(self) -> Sequence[Problem]:
        named = (name.strip()[:60] for name in self.table.unknown if fold(name) not in self._passed_over)
        return [Problem(Fault.UNKNOWN_COLUMN, data={"file": self.table.file, "value": name}) for name in named]

    def __iter__(self) -> Iterator[Item | Problem]:
        for line, cells in self.table:
            try:
                if isinstance(cells, Refused):
                    raise cells
                yield self._read(cells, line)
            except Refused as error:
                yield self.problem(line, error)

    def problem(self, line: int, error: Refused) -> Problem:
        """What is wrong with a row, by the name of the file, and by the header that it has there."""
        field = next(iter(error.path), "")
        path = f"{self.table.file}: {self.table.header_of(field)}" if field else self.table.file
        return Problem(error.fault, path, line, error.data)


def said(cells: Cells, field: str, read: values.Read) -> Any:
    """What a cell says; None where it is empty, or where there is no such column."""
    cell = cells.get(field)
    if not cell:
        return None
    try:
        return read(cell)
    except Refused as error:
        raise error.within(field) from None


def needed(cells: Cells, field: str, read: values.Read) -> Any:
    """The same of a cell that must not be empty."""
    found = said(cells, field, read)
    if found is None:
        raise Refused(Fault.MISSING, field)
    return found


def whole(read: values.Read) -> values.Read:
    """A whole number as text, within the bounds of ``read``."""

    def of_text(cell: str) -> Any:
        if not (cell.isascii() and cell.isdigit() and len(cell) < _DIGITS):
            raise Refused(Fault.WRONG_TYPE, wanted="1, 2, 3 …")
        return read(int(cell))

    return of_text


def currency(cell: str) -> str:
    return str(values.currency(cell.upper()))


def in_both(known: Mapping[str, Any], bulgarian: Mapping[str, str]) -> values.Read:
    """One of the words of the document, or the Bulgarian for it."""
    return values.word({**known, **{word: known[meant] for word, meant in bulgarian.items()}})


_DIGITS = 10
