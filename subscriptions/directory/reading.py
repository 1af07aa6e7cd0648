"""Read a sync document as it came: JSON, or a line of JSON for each row; packed by gzip or not. Pure.

Nothing of it is trusted: what unpacks to more than the limit is refused while it is unpacked, and a line that cannot be
read is a problem of that line.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from subscriptions.directory import values
from subscriptions.directory.document import Row, Section
from subscriptions.directory.faults import Fault, Problem, Refused
from subscriptions.directory.parsing import read_row

# One JSON value is read whole: what is longer is sent in lines. A line may hold a group with all its members.
MAX_JSON, MAX_LINE, MAX_ROWS = 16_000_000, 32_000_000, 5_000_000
_CHUNK = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS
_HEAD = ("asOf", "complete", "rows")
_SECTIONS = {section.value: section for section in Section}
_KNOWN = ", ".join((*Section, *_HEAD))


class BodyRefused(Exception):
    """Not a document at all, or more than one may be. Nothing of it was taken."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def unpacked(body: BinaryIO, *, is_gzip: bool, limit: int) -> Iterator[bytes]:
    """The bytes of a body, piece by piece. Raises BodyRefused beyond ``limit`` bytes, and for what is not gzip."""
    pieces: Iterable[bytes] = iter(lambda: body.read(_CHUNK), b"")
    length = 0
    for part in _parts(pieces) if is_gzip else pieces:
        length += len(part)
        if length > limit:
            raise BodyRefused(Problem(Fault.TOO_LARGE, data={"limit": f"{limit:,}"}))
        yield part


def _parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """What is unpacked, never more than a chunk at once: a few bytes may stand for gigabytes. One gzip may follow another."""
    unpack = None
    try:
        for piece in pieces:
            rest = piece
            while rest:
                unpack = unpack or zlib.decompressobj(_GZIP)
                yield unpack.decompress(rest, _CHUNK)
                rest = unpack.unconsumed_tail
                if unpack.eof:
                    rest, unpack = unpack.unused_data, None
    except zlib.error as error:
        raise BodyRefused(Problem(Fault.UNREADABLE, data={"detail": str(error)})) from None
    if unpack:
        raise BodyRefused(Problem(Fault.UNREADABLE, data={"detail": "gzip ends too early"}))


def lines_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Lines, without their ends. Raises BodyRefused for one that is longer than a line may be."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n") if b"\n" in piece else (rest + piece,)
        yield from whole
        if len(rest) > MAX_LINE:
            raise BodyRefused(Problem(Fault.TOO_LONG, data={"limit": MAX_LINE}))
    if rest:
        yield rest


class Said(NamedTuple):
    """A row before anybody looked at it, and where it stands: its line, or in JSON its number in its section."""

    section: Section
    at: int
    value: Any


@dataclass(slots=True)
class Head:
    """What a document says of itself. ``rows``: how many there are, by which its end is known."""

    as_of: datetime | None = None
    complete: Sequence[Section] = ()
    rows: int | None = None


@dataclass(slots=True)
class Document:
    """Rows in the order in which they stand, and what is wrong with those that are none. ``count``: rows of either kind.

    The head is complete once all rows were looked at. Iterate once.
    """

    lines: Iterable[bytes]
    is_ndjson: bool
    zone: ZoneInfo
    head: Head = field(default_factory=Head)
    count: int = 0

    def rows(self) -> Iterator[tuple[Section, Row] | Problem]:
        """Each row, read; or what is wrong with it. Raises BodyRefused."""
        for said in self._said():
            if isinstance(said, Problem):
                yield said
                continue
            try:
                yield said.section, read_row(said.section, said.value, said.at, self.zone)
            except Refused as error:
                yield problem_of(said.section, said.at, error, in_lines=self.is_ndjson)

    def _said(self) -> Iterator[Said | Problem]:
        if not self.is_ndjson:
            yield from self._of(_json(b"".join(self.lines)), None)
            return
        for line, written in enumerate(self.lines, start=1):
            if not written.strip():
                continue
            try:
                found = _json(written)
            except BodyRefused as error:
                self._count()
                yield Problem(error.problem.code, "", line, error.problem.data)
                continue
            yield from self._of(found, line)

    def _of(self, found: Any, line: int | None) -> Iterator[Said | Problem]:
        if not isinstance(found, Mapping):
            self._count()
            yield Problem(Fault.NOT_AN_OBJECT, "", line)
            return
        self._take_zone(found.get(Section.TENANT))
        for key, value in found.items():
            if key in _HEAD:
                yield from self._take_head(key, value, line)
            elif key not in _SECTIONS:
                self._count()
                yield Problem(Fault.UNKNOWN_SECTION, key[:60], line, {"value": key[:60], "known": _KNOWN})
            elif isinstance(value, list):
                for number, one in enumerate(value):
                    self._count()
                    yield Said(_SECTIONS[key], number if line is None else line, one)
            elif value is not None:
                self._count()
                yield Said(_SECTIONS[key], line or 0, value)

    def _take_zone(self, tenant: Any) -> None:
        """Days are those of the zone that the document itself says, wherever it says it. A wrong one is told of later."""
        said = tenant.get("timeZone") if isinstance(tenant, Mapping) else None
        with suppress(Refused):
            self.zone = ZoneInfo(values.time_zone(said)) if said else self.zone

    def _count(self) -> None:
        self.count += 1
        if self.count > MAX_ROWS:
            raise BodyRefused(Problem(Fault.TOO_MANY_ROWS, data={"limit": f"{MAX_ROWS:,}"}))

    def _take_head(self, key: str, value: Any, line: int | None) -> Iterator[Problem]:
        try:
            if key == "asOf":
                self.head.as_of = values.instant(value)
            elif key == "complete":
                self.head.complete = values.list_of(values.word(_SECTIONS), len(Section))(value)
            else:
                self.head.rows = values.whole(0, MAX_ROWS)(value)
        except Refused as error:
            yield Problem(error.fault, _path(key, error.path), line, error.data)


def problem_of(section: Section, at: int, error: Refused, *, in_lines: bool) -> Problem:
    """What is wrong with a row, named as whoever sent it finds it: by its line, or by its number in JSON."""
    row = section if in_lines or section is Section.TENANT else f"{section}[{at}]"
    return Problem(error.fault, _path(row, error.path), at if in_lines else None, error.data)


def _path(start: str, parts: Iterable[str]) -> str:
    """``groups[0].members[1]``: as programs write it."""
    return start + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in parts)


def _json(written: bytes) -> Any:
    """Raises BodyRefused for what is not JSON, which NaN is not, nor an object that has a field twice."""
    try:
        return _DECODER.decode(written.decode())
    except (ValueError, RecursionError) as error:
        raise BodyRefused(Problem(Fault.UNREADABLE, data={"detail": str(error)[:200]})) from None


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a field is said twice")
    return found


# Made once: making one costs as much as reading a line.
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_not_json, object_pairs_hook=_once)
