"""A dry run of a document that is longer than a piece: each piece is applied and taken back at once.

So that no writer waits longer than for a piece. What earlier pieces would have made is made for each piece anew, as far
as it names it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from django.db import transaction

from subscriptions.directory.absences import absent, mentioned
from subscriptions.directory.applying import apply_rows
from subscriptions.directory.catalog import Context
from subscriptions.directory.document import GroupRow, LicenseRow, Row, Section, SubscriptionRow, UserRow
from subscriptions.directory.packing import unpack
from subscriptions.directory.report import SyncReport
from subscriptions.models import SyncRun


class Rehearsal:
    """Knows what the document names: its subscriptions whole, of people and groups no more than their ids.

    Memory grows with the names of people, some 100 bytes each, and with what is on record and mentioned, some 60 bytes.
    """

    def __init__(self, run: SyncRun) -> None:
        self._subscriptions: list[tuple[Section, Row]] = []
        self._named: Mapping[Section, set[str]] = {Section.USERS: set(), Section.GROUPS: set()}
        self._mentioned: dict[Section, set[int]] = defaultdict(set)
        for piece in run.stored.filter(number__gt=0).order_by("number").iterator(chunk_size=1):
            for section, row in unpack(bytes(piece.content)):
                if isinstance(row, SubscriptionRow):
                    self._subscriptions.append((section, row))
                elif isinstance(row, UserRow):
                    self._named[section] |= {row.external_id, row.principal_name} - {""}
                elif isinstance(row, GroupRow):
                    self._named[section].add(row.key)

    def apply(self, context: Context, rows: list[tuple[Section, Row]], *, is_last: bool) -> None:
        """Apply a piece and take it back; what would have become of it is in the context's report."""
        with transaction.atomic():
            before = replace(context, report=SyncReport(contradicted=context.report.contradicted))
            apply_rows(before, [*self._before(rows), *self._stand_ins(rows)])
            apply_rows(context, rows)
            for section, found in mentioned(context).items():
                self._mentioned[section] |= set(found)
            transaction.set_rollback(True)
        if is_last and context.report.is_whole:
            for section, pks in absent(context).items():
                context.report.removed += len(set(pks) - self._mentioned[section])

    def _before(self, rows: Iterable[tuple[Section, Row]]) -> Iterator[tuple[Section, Row]]:
        """The subscriptions that the document brings, unless this piece is about them."""
        if not any(section in (Section.TENANT, Section.SUBSCRIPTIONS) for section, _row in rows):
            yield from self._subscriptions

    def _stand_ins(self, rows: Iterable[tuple[Section, Row]]) -> Iterator[tuple[Section, Row]]:
        """Somebody for each of those whom the piece names and another piece brings."""
        users, groups = set[str](), set[str]()
        for _section, row in rows:
            if isinstance(row, LicenseRow):
                users.add(row.user)
                groups.add(row.group)
            elif isinstance(row, GroupRow):
                users |= set(row.members or ())
        for name in sorted(users & self._named[Section.USERS]):
            yield Section.USERS, UserRow(0, name, "")
        for name in sorted(groups & self._named[Section.GROUPS]):
            yield Section.GROUPS, GroupRow(0, name, "")
