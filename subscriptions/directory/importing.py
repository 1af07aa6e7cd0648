"""Take in what files say, by whoever waits for it: the same pieces as the worker's, applied here one after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from subscriptions.directory.absences import absent
from subscriptions.directory.document import Row, Section
from subscriptions.directory.faults import Fault, Problem
from subscriptions.directory.rehearsal import Rehearsal
from subscriptions.directory.report import SyncReport
from subscriptions.directory.runs import DocumentRefused, apply_last, context_of, open_run, source_of, stale_problems
from subscriptions.directory.staging import Staging, begin_applying
from subscriptions.directory.work import apply_next
from subscriptions.models import SyncRun, SyncState
from tenants.models import Tenant
from tenants.people import SYSTEM

# Files of a tenant are one source, whoever brings them: the next ones say what has become of the last.
FILES = "files"
Found = tuple[Section, Row] | Problem


@dataclass(slots=True)
class Files:
    """What files say, read as it is looked through, and what else is to be known of them."""

    rows: Iterable[Found]
    as_of: datetime
    complete: Collection[Section] = ()
    notes: Callable[[], Sequence[Problem]] = field(default=lambda: ())


Progress = Callable[[int, int], None]


def import_files(
    *, tenant: Tenant, files: Files, dry_run: bool, now: datetime, progress: Progress = lambda done, of: None
) -> SyncReport:
    """Make the tenant's rows what the files say; doing it again changes nothing.

    A tenant that was not saved yet is. ``progress`` hears how many pieces are applied, of how many. Raises FileUnreadable,
    DocumentRefused and SyncRunning; then, and in a dry run, nothing is different from before. A longer import that is
    stopped in the middle is gone on with by the worker.
    """
    is_new = tenant.pk is None
    run = None
    try:
        run = _open(tenant, files, dry_run=dry_run, now=now)
        report = _apply(run, files, now, progress)
    except BaseException:
        if run is None or run.state == SyncState.RECEIVED:
            _undo(tenant, run, is_new=is_new)
        raise
    if dry_run:
        _undo(tenant, run, is_new=is_new)
    return report


def _open(tenant: Tenant, files: Files, *, dry_run: bool, now: datetime) -> SyncRun:
    if tenant.pk is None:
        tenant.full_clean()
        tenant.save()
    source = source_of(tenant, FILES, "CSV")
    complete = [section.value for section in files.complete]
    run = open_run(source=source, token_id=None, dry_run=dry_run, now=now, as_of=files.as_of, complete=complete)
    if problems := stale_problems(run, now):
        run.delete()
        raise DocumentRefused(problems)
    return run


def _apply(run: SyncRun, files: Files, now: datetime, progress: Progress) -> SyncReport:
    report = SyncReport()
    staging = Staging(run, report)
    for found in files.rows:
        staging.add(found)
    rest = staging.finish()
    for note in files.notes():
        report.note(Fault(note.code), **note.data)
    if staging.pieces:
        return _in_pieces(run, staging, report, now, progress)
    run.rows, run.pieces = report.rows, 1
    with transaction.atomic(durable=True):
        apply_last(run, report, rest, caller=SYSTEM, now=now)
        _count_absent(run, report, now)
        transaction.set_rollback(run.dry_run)
    progress(1, 1)
    return report


def _in_pieces(run: SyncRun, staging: Staging, report: SyncReport, now: datetime, progress: Progress) -> SyncReport:
    begin_applying(run, report, staging.pieces, now)
    rehearsal = Rehearsal(run) if run.dry_run else None
    progress(0, run.pieces)
    while apply_next(run, caller=SYSTEM, rehearsal=rehearsal):
        progress(run.cursor, run.pieces)
    progress(run.pieces, run.pieces)
    report = SyncReport.from_json(run.report)
    if not run.dry_run:
        _count_absent(run, report, now)
    return report


def _count_absent(run: SyncRun, report: SyncReport, now: datetime) -> None:
    """Licenses of people whom the files do not name: with a list that is not complete they stay."""
    context = context_of(run, report, now)
    context.complete = {Section.LICENSES}
    report.counts["not_in_file"] = len(absent(context)[Section.LICENSES])


def _undo(tenant: Tenant, run: SyncRun | None, *, is_new: bool) -> None:
    """As if nothing had been tried."""
    if run is not None:
        SyncRun.objects.filter(pk=run.pk).delete()
    if is_new and tenant.pk is not None:
        tenant.fact_sources.all().delete()
        tenant.delete()
