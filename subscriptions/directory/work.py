"""Longer documents: kept as they came, read whole by the worker, applied in pieces, each with its cursor.

A kill at any point resumes: what is read and not kept whole is read again, a piece and its cursor are one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from outbox.each import each_by_itself
from outbox.mail import queue_staff_mail
from outbox.queue import enqueue, requeue
from outbox.registry import Lane, handles
from subscriptions.directory.applying import apply_rows
from subscriptions.directory.faults import Problem
from subscriptions.directory.packing import unpack
from subscriptions.directory.reading import BodyRefused, Document, lines_of
from subscriptions.directory.rehearsal import Rehearsal
from subscriptions.directory.report import SyncReport
from subscriptions.directory.runs import apply_last, check_end, check_head, context_of
from subscriptions.directory.staging import Staging, begin_applying, being_read, keep_raw, raw_of
from subscriptions.errors import SyncRunning
from subscriptions.models import SyncRun, SyncState
from subscriptions.models.sources import UNDER_WAY
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller, CallerKind
from tenants.people import SYSTEM

SYNC = "sync.run"
# Without progress for so long, what is on record counts again.
PAUSED_AFTER = timedelta(minutes=10)
KEPT_FOR = timedelta(days=90)


def receive(run: SyncRun, body: Iterable[bytes], now: datetime) -> None:
    """Keep a long document, and have it applied. Raises BodyRefused, and keeps nothing then."""
    try:
        keep_raw(run, body)
    except BodyRefused:
        run.delete()
        raise
    with transaction.atomic():
        SyncRun.objects.filter(pk=run.pk).update(progressed_at=now)
        enqueue(kind=SYNC, key=key_of_run(run), payload={"run": run.pk}, run_at=now, now=now)


def key_of_run(run: SyncRun) -> str:
    return f"{SYNC}:{run.pk}"


def take_run(pk: int) -> SyncRun | None:
    """Work on a run, alone: whoever had it before finds its fence moved. None where nothing is left to do."""
    with transaction.atomic():
        found = (
            SyncRun.objects.select_for_update(of=("self",)).select_related("tenant", "source", "token").filter(pk=pk)
        )
        run = found.filter(state__in=UNDER_WAY).first()
        if run:
            run.fence += 1
            run.save(update_fields=["fence"])
        return run


def stage(run: SyncRun, now: datetime) -> None:
    """Read and check the whole of a document that came as it is; one that cannot be read ends here."""
    with transaction.atomic():
        # Not of somebody who has begun after us.
        if not being_read(run).update(rows=0, progressed_at=now):
            return
        run.stored.filter(number__gt=0).delete()
    document = Document(lines_of(raw_of(run)), run.is_ndjson, run.tenant.zone)
    report = SyncReport(in_lines=run.is_ndjson)
    staging = Staging(run, report)
    try:
        for found in document.rows():
            staging.add(found)
        staging.close()
        problems = check_head(run, document, report, now)
    except BodyRefused as error:
        problems = [error.problem]
    except SyncRunning:
        return
    if problems:
        _fail(run, report, problems, timezone.now())
        return
    check_end(document, report)
    begin_applying(run, report, staging.pieces, timezone.now())


def _fail(run: SyncRun, report: SyncReport, problems: Sequence[Problem], now: datetime) -> None:
    for problem in problems:
        if problem not in report.problems:
            report.add_problem(problem)
    with transaction.atomic():
        if being_read(run).update(state=SyncState.FAILED, report=report.as_json(), rows=report.rows, finished_at=now):
            run.stored.all().delete()
    run.state = SyncState.FAILED


def apply_next(run: SyncRun, *, caller: Caller, rehearsal: Rehearsal | None = None) -> bool:
    """Apply the next piece with its cursor, in one transaction; False where the run is over, or another's."""
    now = timezone.now()
    with transaction.atomic(durable=True):
        mine = SyncRun.objects.filter(pk=run.pk, fence=run.fence, state=SyncState.APPLYING, cursor=run.cursor)
        # Held until the transaction ends: whoever pauses or takes the run waits for this piece.
        if not mine.update(cursor=run.cursor + 1, progressed_at=now):
            return False
        report = SyncReport.from_json(run.report)
        piece = run.stored.filter(number__gt=0).order_by("number")[run.cursor]
        rows = unpack(bytes(piece.content))
        run.cursor += 1
        if rehearsal:
            rehearsal.apply(context_of(run, report, now), list(rows), is_last=run.cursor == run.pieces)
        elif run.cursor == run.pieces:
            apply_last(run, report, rows, caller=caller, now=now)
            return False
        else:
            apply_rows(context_of(run, report, now), rows)
        run.report = report.as_json()
        is_over = run.cursor == run.pieces
        if is_over:
            run.state, run.finished_at = SyncState.DONE, now
            run.stored.all().delete()
        run.save(update_fields=["report", "state", "finished_at"])
    return not is_over


# Of two minutes that a task may take, so that others of the lane get their turn.
_TURN = timedelta(seconds=20)
# Seconds. Whoever waits for SQLite's only lock looks for it each 100 ms: without a gap it is not free when they look.
_GAP = 0.12


@handles(SYNC, Lane.SYNC)
def go_on(payload: dict[str, int], _now: datetime) -> datetime | None:
    """Some pieces of a run, from where it is."""
    return work_on(payload["run"], caller_of=_caller_of, until=timezone.now() + _TURN)


def _caller_of(run: SyncRun) -> Caller:
    """Whose document it is, for the trail."""
    token = run.token
    if token is None:
        return SYSTEM
    return Caller(kind=CallerKind.PARTNER, id=token.pk, name=token.name, partner=token.partner)


def work_on(pk: int, *, caller_of: Callable[[SyncRun], Caller], until: datetime) -> datetime | None:
    """Go on with a run until it is over, or until a time; when to go on with it. For a task of the outbox."""
    run = take_run(pk)
    if run is None:
        return None
    if run.state == SyncState.RECEIVED:
        stage(run, timezone.now())
    rehearsal = Rehearsal(run) if run.dry_run and run.pieces > 1 else None
    began = time.perf_counter()
    while run.state == SyncState.APPLYING and apply_next(run, caller=caller_of(run), rehearsal=rehearsal):
        if timezone.now() >= until:
            return timezone.now()
        if connection.vendor == "sqlite" and time.perf_counter() - began > _GAP:
            time.sleep(_GAP)
        began = time.perf_counter()
    return None


def pause_stuck_runs(now: datetime) -> int:
    """Runs of which nothing moved for too long: staff are told, and decisions open on what is on record."""
    stuck = SyncRun.objects.filter(state__in=UNDER_WAY, progressed_at__lt=now - PAUSED_AFTER).select_related("tenant")
    return each_by_itself(stuck, partial(_pause, now=now), work="pause_stuck_runs", now=now)


def _pause(run: SyncRun, now: datetime) -> bool:
    with transaction.atomic():
        mine = SyncRun.objects.filter(pk=run.pk, state=run.state, progressed_at=run.progressed_at)
        if not mine.update(state=SyncState.PAUSED):
            return False
        queue_staff_mail(
            key=f"sync.paused:{run.pk}",
            sentence=_(
                "Facts of %(tenant)s stopped coming in after %(cursor)s of %(pieces)s pieces. What is on record"
                " counts again; go on with the run under Runs in the admin, or have it sent again."
            ),
            values={"tenant": run.tenant, "cursor": run.cursor, "pieces": run.pieces},
            now=now,
        )
        return True


def resume_run(*, run: SyncRun, caller: Caller, language: str, now: datetime) -> bool:
    """Go on with a run that was paused, from where it stopped. Raises SyncRunning beside another.

    False where it is not paused, and where its document never came in whole: nobody was told that it was taken.
    """
    try:
        with transaction.atomic():
            mine = SyncRun.objects.filter(pk=run.pk, state=SyncState.PAUSED)
            state = SyncState.APPLYING if run.pieces else SyncState.RECEIVED
            if not mine.update(state=state, progressed_at=now):
                return False
            if not requeue(key=key_of_run(run), now=now):
                if not run.pieces:
                    transaction.set_rollback(True)
                    return False
                enqueue(kind=SYNC, key=key_of_run(run), payload={"run": run.pk}, run_at=now, now=now)
            record(
                tenant_id=run.tenant_id, at=now, action=Action.SYNC_RESUMED, subject=f"SyncRun:{run.pk}", caller=caller,
                language=language, data={"cursor": run.cursor, "pieces": run.pieces}, personal={"name": caller.name},
            )  # fmt: skip
            return True
    except IntegrityError:
        raise SyncRunning from None


def forget_runs(now: datetime) -> int:
    """Drop runs that ended long ago, with their reports, which may name who was in a row that was refused."""
    return SyncRun.objects.filter(finished_at__lt=now - KEPT_FOR).delete()[0]
