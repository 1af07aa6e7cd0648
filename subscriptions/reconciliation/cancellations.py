"""Cancellations: against their refunds, and against what their subscriptions say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from billing.models import Refund, RefundStatus
from billing.money import Money
from common.chunks import chunks
from subscriptions.models import Cancellation, Subscription
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from subscriptions.reconciliation.looking import Scope, compares

_OPEN_REFUNDS = Refund.objects.filter(cancellations=OuterRef("pk")).exclude(status=RefundStatus.VOIDED)


@compares
def undone_with_refund(scope: Scope) -> Iterator[Finding]:
    wrong = Cancellation.objects.filter(Exists(_OPEN_REFUNDS), undone_at__isnull=False)
    for keys in chunks(scope.chosen(FindingKind.UNDONE_WITH_REFUND, *_moved(scope))):
        for pk, reference in wrong.filter(pk__in=keys).values_list("pk", "reference"):
            yield Finding(FindingKind.UNDONE_WITH_REFUND, str(pk), name=reference)


@compares
def promised_otherwise(scope: Scope) -> Iterator[Finding]:
    """The first refund against the quote, unless facts since have priced one again."""
    first = Subquery(_OPEN_REFUNDS.order_by("pk").values("amount")[:1])
    repriced = Refund.objects.filter(cancellations=OuterRef("pk"), repriced_at__isnull=False)
    as_quoted = Cancellation.objects.filter(~Exists(repriced), undone_at=None).annotate(in_refund=first)
    for keys in chunks(scope.chosen(FindingKind.PROMISED_OTHERWISE, *_moved(scope))):
        for cancellation in as_quoted.filter(pk__in=keys):
            quoted = cancellation.quote["refund"] or {}
            # A quote without a refund may still get one, when a payment settles late.
            if quoted and cancellation.in_refund != quoted["minor_units"]:
                currency, back = quoted["currency"], cancellation.in_refund
                values = {
                    "promised": str(Money(quoted["minor_units"], currency)),
                    "refund": str(Money(back, currency)) if back is not None else "—",
                }
                pk, reference = str(cancellation.pk), cancellation.reference
                yield Finding(FindingKind.PROMISED_OTHERWISE, pk, values, name=reference)


@compares
def mode_differs(scope: Scope) -> Iterator[Finding]:
    in_force = Cancellation.objects.filter(subscription=OuterRef("pk"), undone_at=None)
    wrong = Subscription.objects.annotate(mode_in_force=Subquery(in_force.values("mode")[:1])).exclude(
        Q(canceled_mode=F("mode_in_force")) | Q(canceled_mode=None, mode_in_force=None)
    )
    moved = scope.chosen(
        FindingKind.MODE_DIFFERS,
        *(rows.values_list("subscription", flat=True) for rows in _rows(scope)),
        Subscription.objects.filter(**scope.window.of("ends_at")).values_list("pk", flat=True),
    )
    for keys in chunks(moved):
        for pk, mode in wrong.filter(pk__in=keys).values_list("pk", "canceled_mode"):
            yield Finding(FindingKind.MODE_DIFFERS, str(pk), {"mode": mode or "—"})


def _rows(scope: Scope) -> tuple[QuerySet[Cancellation], QuerySet[Cancellation]]:
    rows = Cancellation.objects
    return rows.filter(**scope.window.of("requested_at")), rows.filter(**scope.window.of("undone_at"))


def _moved(scope: Scope) -> Iterator[QuerySet[Any, Any]]:
    """The keys of cancellations that were made, undone, or whose refunds changed."""
    yield from (rows.values_list("pk", flat=True) for rows in _rows(scope))
    yield Refund.objects.filter(**scope.window.of("changed_at")).values_list("cancellations", flat=True)
