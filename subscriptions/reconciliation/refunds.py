"""Refunds: those that wait for somebody, and those that contradict their parts."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Exists, F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from billing.models import (
    PROMISED_REFUND_STATUSES,
    STUCK_REFUND_STATUSES,
    PartStatus,
    Refund,
    RefundPart,
    RefundStatus,
)
from billing.money import Money
from billing.refunds.late import overdue as are_overdue
from billing.refunds.sending import SUBMIT
from common.chunks import chunks
from outbox.models import Task, TaskStatus
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from subscriptions.reconciliation.looking import Scope, compares, stands_open


@compares
def amounts(scope: Scope) -> Iterator[Finding]:
    parts = RefundPart.objects.filter(refund=OuterRef("pk")).values("refund").annotate(sum=Sum("promised"))
    of_parts = Coalesce(Subquery(parts.values("sum")), 0)
    wrong = Refund.objects.annotate(of_parts=of_parts).exclude(amount=F("of_parts"))
    for keys in chunks(_changed(scope, FindingKind.REFUND_AMOUNT)):
        for refund in wrong.filter(pk__in=keys):
            said = str(Money(refund.of_parts, refund.currency))
            yield Finding(FindingKind.REFUND_AMOUNT, str(refund.pk), {"amount": str(refund.money), "parts": said})


@compares
def unfinished(scope: Scope) -> Iterator[Finding]:
    parts = RefundPart.objects.filter(refund=OuterRef("pk")).exclude(status=PartStatus.SUCCEEDED)
    wrong = Refund.objects.filter(Exists(parts), status=RefundStatus.SUCCEEDED).values_list("pk", flat=True)
    for keys in chunks(_changed(scope, FindingKind.REFUND_UNFINISHED)):
        for pk in wrong.filter(pk__in=keys):
            yield Finding(FindingKind.REFUND_UNFINISHED, str(pk))


@stands_open
def failed(_scope: Scope) -> Iterator[Finding]:
    found = Refund.objects.filter(status__in=STUCK_REFUND_STATUSES).order_by("pk")
    for pk in found.values_list("pk", flat=True).iterator():
        yield Finding(FindingKind.REFUND_FAILED, str(pk))


@stands_open
def overdrawn(_scope: Scope) -> Iterator[Finding]:
    """More was sent than is due by the facts since."""
    over = RefundPart.objects.filter(amount_by_rule__isnull=False).select_related("charge")
    for part in over.order_by("refund", "pk").iterator():
        refund = str(part.refund_id)
        values = {
            "sent": str(part.charge.money(part.amount)),
            "due": str(part.charge.money(part.amount_by_rule or 0)),
            "charge": part.charge.external_id,
        }
        yield Finding(FindingKind.REFUND_OVERDRAWN, str(part.pk), values, name=refund, page=refund)


@stands_open
def overdue(scope: Scope) -> Iterator[Finding]:
    late = Refund.objects.filter(are_overdue(scope.now)).order_by("pk")
    for pk, due_by in late.values_list("pk", "due_by").iterator():
        yield Finding(FindingKind.REFUND_OVERDUE, str(pk), {"day": due_by.isoformat()})


@stands_open
def lost(_scope: Scope) -> Iterator[Finding]:
    """Promised, and no task that is to be done sends it."""
    promised = Refund.objects.filter(status__in=PROMISED_REFUND_STATUSES).order_by("pk")
    for keys in chunks(promised.values_list("pk", flat=True).iterator()):
        tasks = Task.objects.filter(key__in=[f"{SUBMIT}:{pk}" for pk in keys], status=TaskStatus.WAITING)
        waiting = set(tasks.values_list("key", flat=True))
        for pk in keys:
            if f"{SUBMIT}:{pk}" not in waiting:
                yield Finding(FindingKind.REFUND_LOST, str(pk))


def _changed(scope: Scope, kind: FindingKind) -> set[int]:
    changed = Refund.objects.filter(**scope.window.of("changed_at"))
    return scope.chosen(kind, changed.values_list("pk", flat=True))
