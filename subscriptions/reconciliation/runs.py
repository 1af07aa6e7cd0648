"""Runs of reconciliation: one a day by the worker, kept as rows, with mail to staff of what is new."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Min
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from billing.models import Charge, Refund
from billing.outages import retry_later
from outbox.mail import queue_staff_mail
from outbox.queue import enqueue
from outbox.registry import Lane, handles
from subscriptions.models import Cancellation, Reconciliation
from subscriptions.reconciliation.asking import Asking
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.progress import Overtaken, Progress
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller

RECONCILE = "reconcile"
# How far back a run looks where nobody says, and further where the one before is longer ago.
DAYS = timedelta(days=7)
# Seconds that a piece takes: meanwhile everything else waits for this worker.
_PIECE = 20.0
# A provider that is silent for so long is a finding: soon the next day's run comes.
_WAITS_FOR = timedelta(hours=20)
_KEPT_FOR = timedelta(days=90)


def usual_since(now: datetime) -> datetime:
    """From when a run looks where nobody says: seven days, or since the last one that told of now."""
    before = Reconciliation.objects.telling_of_now().first()
    return min(now - DAYS, before.until) if before else now - DAYS


def first_row(now: datetime) -> datetime:
    """When the first of all rows was made that a run compares. Three queries, each the beginning of an index."""
    firsts = (
        Charge.objects.aggregate(at=Min("recorded_at"))["at"],
        Refund.objects.aggregate(at=Min("changed_at"))["at"],
        Cancellation.objects.aggregate(at=Min("requested_at"))["at"],
    )
    return min(at for at in (*firsts, now) if at)


def reconcile_daily(now: datetime) -> int:
    """Ask for the day's run, and forget those of three months ago; 0 while one is still under way."""
    Reconciliation.objects.filter(started_at__lt=now - _KEPT_FOR).delete()
    return bool(start_run(now))


def start_by_staff(*, caller: Caller, language: str, now: datetime) -> Reconciliation | None:
    """Have the worker do one because somebody asked for it, on the installation's trail; None where it is doing one."""
    with transaction.atomic():
        row = start_run(now)
        if row:
            record(
                tenant_id=None,
                at=now,
                action=Action.RECONCILIATION_STARTED,
                subject=f"Reconciliation:{row.pk}",
                caller=caller,
                language=language,
                data={"since": row.since},
                personal={"name": caller.name},
            )
    return row


def start_run(now: datetime) -> Reconciliation | None:
    """Have the worker do one, over the usual window; None while one of the last day is under way."""
    under_way = Reconciliation.objects.filter(scheduled=True, finished_at=None, started_at__gt=now - timedelta(days=1))
    if under_way.exists():
        return None
    with transaction.atomic():
        row = Reconciliation.objects.create(since=usual_since(now), until=now, started_at=now, scheduled=True)
        enqueue(kind=RECONCILE, key=f"{RECONCILE}:{row.pk}", payload={"run": row.pk}, run_at=now, now=now)
    return row


@handles(RECONCILE, Lane.LONG)
def reconcile(payload: dict[str, int], now: datetime) -> datetime | None:
    """One piece of a run, from where it is. A run that another has followed is left as it is.

    A provider that does not answer is waited for, and by the next day done without.
    """
    row = Reconciliation.objects.filter(pk=payload["run"], finished_at=None).first()
    if row is None or Reconciliation.objects.filter(pk__gt=row.pk, scheduled=True).exists():
        return None
    asking = Asking(settings.WAYOUT_RECONCILE_RATE, _PIECE)
    progress = Progress(row, asking)
    try:
        piece = progress.go_on(now)
        if piece.silent and not piece.is_done and not asking.is_over:
            if now < row.started_at + _WAITS_FOR:
                errors = [retry_later(error, name, now) for name, error in piece.silent.items()]
                raise min(errors, key=lambda error: error.after)
            for name, error in piece.silent.items():
                progress.do_without(name, str(error))
            piece.is_done = True
        if not piece.is_done:
            return now + timedelta(seconds=asking.elapsed)
        with transaction.atomic():
            new = progress.finish(now)
            if row.new:
                _mail(row, new, now)
    except Overtaken:
        pass
    return None


def _mail(row: Reconciliation, new: list[Finding], now: datetime) -> None:
    with translation.override(settings.LANGUAGE_CODE):
        first = str(new[0]) if new else ""
    values = {"new": row.new, "count": row.count, "first": first}
    queue_staff_mail(key=f"reconciliation:{row.pk}", sentence=_NEW, values=values, now=now)


_NEW = _(
    "Reconciliation, new findings: %(new)s of %(count)s. The first: %(first)s. What to do about each stands in Admin >"
    " Reconciliations."
)
