"""Keep a document until it is applied: as it came, and then as rows that were read and checked, in pieces."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from subscriptions.directory.document import Row, Section, SubscriptionRow
from subscriptions.directory.faults import Fault, Problem, Refused
from subscriptions.directory.packing import pack
from subscriptions.directory.report import SyncReport
from subscriptions.errors import SyncRunning
from subscriptions.models import SyncPiece, SyncRun, SyncState

PIECE = 10_000
_RAW = 1_000_000
_RANKS = {section: 2 * rank for rank, section in enumerate(Section, start=1)}
# Of these the same row may come twice and says nothing new; the others name one thing each.
_NAMED = (Section.SUBSCRIPTIONS, Section.CHARGES, Section.USERS, Section.GROUPS)


def key_of(section: Section, row: Row) -> str:
    """What a row is about, as text."""
    key = getattr(row, "key", "")
    return f"{section}\x1f{key if isinstance(key, str) else chr(31).join(key)}"


def rank_of(section: Section, row: Row) -> int:
    """What is applied before what. A product without an id comes after charges, which may say that it was bought twice."""
    is_product = isinstance(row, SubscriptionRow) and not row.external_id
    return _RANKS[Section.CHARGES] + 1 if is_product else _RANKS[section]


def being_read(run: SyncRun) -> QuerySet[SyncRun]:
    """The run, while it is read by whoever has it here; nothing once somebody else does, or it was paused."""
    return SyncRun.objects.filter(pk=run.pk, fence=run.fence, state=SyncState.RECEIVED)


class Staging:
    """Takes rows as they come and keeps them by sections, in pieces; a document of one piece is kept as one.

    Memory holds a piece of each section, and two numbers for each thing that is named. Raises SyncRunning, from any of its
    methods, once somebody else has the run.
    """

    def __init__(self, run: SyncRun, report: SyncReport) -> None:
        self._run, self._report = run, report
        self._waiting: dict[int, list[tuple[Section, Row]]] = defaultdict(list)
        self._seen: dict[int, tuple[int, int]] = {}
        self._pieces: dict[int, int] = defaultdict(int)

    def add(self, found: tuple[Section, Row] | Problem) -> None:
        """A row, or what is wrong with one."""
        if isinstance(found, Problem):
            self._report.rows += 1
            self._report.leave_out(found)
            return
        section, row = found
        self._report.rows += 1
        if section in _NAMED and self._is_said_before(section, row):
            return
        rank = rank_of(section, row)
        waiting = self._waiting[rank]
        waiting.append(found)
        if len(waiting) == PIECE:
            self._keep(rank, waiting)
            self._waiting[rank] = []

    def _is_said_before(self, section: Section, row: Row) -> bool:
        """Whether another row named the same thing. One that says something else puts out both."""
        key = key_of(section, row)
        said = hash(row._replace(line=0))
        first = self._seen.setdefault(hash(key), (said, row.line))
        if first == (said, row.line):
            return False
        if first[0] == said:
            self._report.unchanged += 1
        else:
            self._report.contradicted[key] = row.line
            self._report.refuse(section, row.line, Refused(Fault.SAID_TWICE, other=first[1]))
        return True

    def finish(self) -> list[tuple[Section, Row]]:
        """What is not in a piece yet: all of a document that fits into one. Else it is kept too, and nothing is left."""
        rest = [found for rank in sorted(self._waiting) for found in self._waiting[rank]]
        if not self._pieces and len(rest) <= PIECE:
            return rest
        for rank, waiting in self._waiting.items():
            if waiting:
                self._keep(rank, waiting)
        return []

    def close(self) -> None:
        """Keep what is left, so that there is a piece also of a document without rows."""
        rest = self.finish()
        if rest or not self._pieces:
            self._keep(0, rest)

    def _keep(self, rank: int, rows: list[tuple[Section, Row]]) -> None:
        number = rank * _RAW + self._pieces[rank] + 1
        self._pieces[rank] += 1
        content = pack(rows)
        with transaction.atomic():
            # Held until the piece is there: whoever takes the run begins anew after it.
            if not being_read(self._run).update(rows=self._report.rows, progressed_at=timezone.now()):
                raise SyncRunning
            SyncPiece.objects.create(run=self._run, number=number, content=content)

    @property
    def pieces(self) -> int:
        """How many were kept."""
        return sum(self._pieces.values())


def keep_raw(run: SyncRun, pieces: Iterable[bytes]) -> None:
    """Keep a body as it came, packed, a transaction for each part."""
    for number, part in enumerate(_parts(pieces), start=1):
        SyncPiece.objects.create(run=run, number=-number, content=zlib.compress(part, 1))


def _parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    waiting, length = [], 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= _RAW:
            yield b"".join(waiting)
            waiting, length = [], 0
    if waiting:
        yield b"".join(waiting)


def raw_of(run: SyncRun) -> Iterator[bytes]:
    """The body as it came, part by part."""
    number = -1
    while part := SyncPiece.objects.filter(run=run, number=number).values_list("content", flat=True).first():
        yield zlib.decompress(bytes(part))
        number -= 1


def begin_applying(run: SyncRun, report: SyncReport, pieces: int, now: datetime) -> bool:
    """All of it is read: from now on pieces are applied. False where somebody else has the run meanwhile."""
    run.pieces, run.report, run.rows = pieces, report.as_json(), report.rows
    values = {"state": SyncState.APPLYING, "pieces": pieces, "report": run.report, "rows": run.rows}
    with transaction.atomic():
        if not being_read(run).update(**values, as_of=run.as_of, complete=run.complete, progressed_at=now):
            return False
        SyncPiece.objects.filter(run=run, number__lt=0).delete()
    run.state = SyncState.APPLYING
    return True
