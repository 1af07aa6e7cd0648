"""A document's way from where it came to what is on record: at once where it is short, else by the worker, in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from common.languages import DEFAULT_LANGUAGE
from subscriptions.directory.absences import apply_absences, stale_sections
from subscriptions.directory.applying import apply_rows, count_holders, take_seats
from subscriptions.directory.catalog import Context
from subscriptions.directory.document import Row, Section, SubscriptionRow
from subscriptions.directory.faults import Fault, Problem
from subscriptions.directory.reading import BodyRefused, Document
from subscriptions.directory.report import SyncReport
from subscriptions.directory.staging import Staging
from subscriptions.errors import SyncRunning
from subscriptions.models import FactSource, SyncPiece, SyncRun, SyncState
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller
from tenants.models import Tenant

MAX_AT_ONCE = 1_000
_MAX_SAID = 10


def source_of(tenant: Tenant, key: str, name: str) -> FactSource:
    """Who sends facts of a tenant under this key, by the name that is the latest."""
    name = name[:100]
    source, _made = FactSource.objects.get_or_create(tenant=tenant, key=key, defaults={"name": name})
    # Not locked as update_or_create does: another run that is just opened refers to it, and ours waits for that one.
    if source.name != name:
        FactSource.objects.filter(pk=source.pk).update(name=name)
        source.name = name
    return source


def open_run(*, source: FactSource, token_id: int | None, dry_run: bool, now: datetime, **given: object) -> SyncRun:
    """A new run, within the caller's transaction, or one of its own. Raises SyncRunning while another is under way.

    One that is paused is replaced: what comes later knows more.
    """
    try:
        with transaction.atomic():
            paused = SyncRun.objects.filter(tenant=source.tenant, state=SyncState.PAUSED)
            for pk in paused.values_list("pk", flat=True):
                if paused.filter(pk=pk).update(state=SyncState.REPLACED, finished_at=now):
                    SyncPiece.objects.filter(run=pk).delete()
            return SyncRun.objects.create(
                tenant=source.tenant, source=source, token_id=token_id, dry_run=dry_run, created_at=now,
                progressed_at=now, **given,
            )  # fmt: skip
    except IntegrityError:
        raise SyncRunning from None


class LongDocument(Exception):
    """It has more rows than are applied while its sender waits. Nothing of it was taken."""


class DocumentRefused(Exception):
    """Nothing of a document was taken: what it says of itself cannot be. ``problems`` say what, each with its path."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__([problem.code for problem in problems])
        self.problems = problems


def check_head(run: SyncRun, document: Document, report: SyncReport, now: datetime) -> Sequence[Problem]:
    """What is wrong with what a document says of itself, once all of it was read; and take that over."""
    head = document.head
    run.as_of, run.complete = head.as_of, [section.value for section in head.complete]
    if head.as_of is None:
        # What stands there instead says more.
        return report.problems[:_MAX_SAID] or [Problem(Fault.MISSING, "asOf")]
    if head.as_of > now:
        return [Problem(Fault.IN_THE_FUTURE, "asOf", data={"value": head.as_of.isoformat()})]
    problems = []
    if Section.CHARGES in head.complete:
        problems.append(Problem(Fault.NEVER_COMPLETE, f"complete[{list(head.complete).index(Section.CHARGES)}]"))
    return [*problems, *stale_problems(run, now)]


def stale_problems(run: SyncRun, now: datetime) -> Sequence[Problem]:
    """Sections that are said to be complete, where a later complete list of the same source has come in."""
    return [
        Problem(
            Fault.STALE, f"complete[{run.complete.index(section)}]", data={"section": section, "value": at.isoformat()}
        )
        for section, at in stale_sections(context_of(run, SyncReport(), now)).items()
    ]


def check_end(document: Document, report: SyncReport) -> None:
    """In lines nobody sees that the end is missing: with complete sections, the number of rows has to be said."""
    head = document.head
    if not document.is_ndjson or not (head.complete or head.rows is not None):
        return
    if head.rows is None:
        report.add_problem(Problem(Fault.TRUNCATED, "rows", data={"detail": '{"rows": …}'}))
    elif head.rows != document.count:
        detail = f"{document.count:,} ≠ {head.rows:,}"
        report.add_problem(Problem(Fault.TRUNCATED, "rows", data={"detail": detail}))


def context_of(run: SyncRun, report: SyncReport, now: datetime) -> Context:
    """What its rows are applied with."""
    return Context(
        run.tenant, run.source, run.as_of or now, now, report, frozenset(Section(name) for name in run.complete)
    )


def sync_now(run: SyncRun, document: Document, *, caller: Caller, now: datetime) -> SyncReport:
    """Apply a short document within the caller's transaction, which rolls a dry run back.

    Raises DocumentRefused, and LongDocument above MAX_AT_ONCE rows.
    """
    report = SyncReport(in_lines=document.is_ndjson)
    staging = Staging(run, report)
    try:
        for found in document.rows():
            staging.add(found)
            if report.rows > MAX_AT_ONCE:
                raise LongDocument
    except BodyRefused as error:
        raise DocumentRefused([error.problem]) from None
    if problems := check_head(run, document, report, now):
        raise DocumentRefused(problems)
    check_end(document, report)
    run.rows, run.pieces = report.rows, 1
    apply_last(run, report, staging.finish(), caller=caller, now=now)
    return report


def apply_last(
    run: SyncRun, report: SyncReport, rows: Iterable[tuple[Section, Row]], *, caller: Caller, now: datetime
) -> None:
    """Apply the last piece, take away what is absent, and close the run, within a transaction."""
    context = context_of(run, report, now)
    kept = list(rows)
    apply_rows(context, kept)
    apply_absences(context)
    take_seats(context.tenant)
    products = [row for _section, row in kept if isinstance(row, SubscriptionRow) and row.assigned is not None]
    count_holders(context, products)
    run.state, run.cursor, run.finished_at, run.progressed_at = SyncState.DONE, run.pieces, now, now
    run.report = report.as_json()
    run.save()
    run.stored.all().delete()
    if report.has_changed and not run.dry_run:
        _audit(run, report, caller, now)


def _audit(run: SyncRun, report: SyncReport, caller: Caller, now: datetime) -> None:
    record(
        tenant_id=run.tenant_id,
        at=now,
        action=Action.DIRECTORY_IMPORTED,
        subject=f"SyncRun:{run.pk}",
        caller=caller,
        language=DEFAULT_LANGUAGE,
        data={
            "source": run.source.name,
            "as_of": run.as_of,
            "complete": run.complete,
            **{name: getattr(report, name) for name in ("rows", "created", "changed", "removed", "left_out")},
            **report.counts,
            "conflicts": report.numbers["conflicts"],
            "holders": report.holders,
        },
    )
