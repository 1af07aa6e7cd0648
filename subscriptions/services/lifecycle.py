"""What time does to subscriptions and their money. Each function looks at the rows, so it catches up by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q, Sum

from billing.models import RefundPart, RefundStatus
from billing.money import Money
from billing.periods import refund_due_by, rolled
from billing.proration import Convention, Line, RefundTerms, prorate
from billing.selectors import charges_not_over
from billing.services.refunds import find_late, request_refund
from subscriptions.models import Cancellation, IdempotencyRecord, Subscription
from subscriptions.policy import Mode, Status
from subscriptions.services.announcements import Occasion, announce
from subscriptions.services.idempotency import KEPT_FOR
from tenants.audit import record
from tenants.people import SYSTEM

_BATCH = 500


def roll_periods(now: datetime) -> int:
    """Write the period that contains ``now`` on subscriptions that renewed by themselves. Anchors do not drift."""
    over = Subscription.objects.filter(
        Q(is_trial=False) | Q(agreement__account__payment_methods__is_active=True)
        | Q(agreement__account__payment_methods_known=False),
        renews=True, canceled_mode=None, term_months__isnull=False, period_end__lte=now,
        base_status__in=[Status.ACTIVE, Status.SUSPENDED],
    ).distinct()  # fmt: skip
    count = 0
    for subscription in over.select_related("tenant")[:_BATCH]:
        assert subscription.period_start
        assert subscription.term_months
        anchor = subscription.anchored_at or subscription.period_start
        period = rolled(anchor, subscription.term_months, now, subscription.tenant.zone)
        with transaction.atomic(durable=True):
            same = Subscription.objects.filter(
                pk=subscription.pk, canceled_mode=None, period_end=subscription.period_end
            )
            moved = same.update(period_start=period.start, period_end=period.end, anchored_at=anchor, is_trial=False)
            if moved:
                _record(subscription, "subscription.renewed", now, period_end=period.end)
        count += moved
    return count


def refund_late_payments(now: datetime) -> int:
    """Make the second refund of a cancellation whose payment was in flight and has settled since.

    The same rule at the same priced_at; what the cancellation already returns of the charge is taken off.
    """
    count = 0
    waiting = Cancellation.objects.filter(awaits_payment=True)
    for pk in waiting.filter(Q(undone_at__isnull=False) | Q(undo_until__lte=now)).values_list("pk", flat=True)[:_BATCH]:
        count += _refund_late_payment(pk, now)
    return count


def tell_late_refunds(now: datetime) -> int:
    """Tell staff, and once the tenant, of refunds that are overdue or failed."""
    with transaction.atomic(durable=True):
        late = find_late(now)
        for refund in late:
            for cancellation in refund.cancellations.select_related("tenant", "requested_by_user"):
                announce(Occasion.REFUND_LATE, cancellation, now, refund)
    return len(late)


def forget_keys(now: datetime) -> int:
    """Drop idempotency keys that are older than they are kept."""
    return IdempotencyRecord.objects.filter(created_at__lt=now - KEPT_FOR).delete()[0]


def _refund_late_payment(cancellation_id: int, now: datetime) -> bool:
    with transaction.atomic(durable=True):
        cancellation = (
            Cancellation.objects.select_for_update(of=("self",))
            .select_related("subscription__agreement__account", "tenant", "policy")
            .get(pk=cancellation_id)
        )
        if not cancellation.awaits_payment:
            return False
        lines, in_flight = _late_lines(cancellation)
        if cancellation.undone_at or not in_flight:
            Cancellation.objects.filter(pk=cancellation.pk).update(awaits_payment=False)
        if cancellation.undone_at or not lines:
            return False
        refund = request_refund(
            agreement=cancellation.subscription.agreement,
            lines=lines,
            priced_at=cancellation.priced_at,
            requested_at=now,
            held_until=now,
            due_by=_due_by(cancellation, now),
        )
        cancellation.refunds.add(refund)
        _record(cancellation.subscription, "cancellation.second_refund", now, refund=refund.pk, amount=refund.amount)
        return True


def _due_by(cancellation: Cancellation, now: datetime) -> date:
    subscription = cancellation.subscription
    anchor = subscription.anchored_at or subscription.period_start or cancellation.priced_at
    return refund_due_by(anchor, now, cancellation.tenant.zone)


def _late_lines(cancellation: Cancellation) -> tuple[list[Line], bool]:
    """The lines that still return something, and whether a payment is still in flight."""
    terms = RefundTerms(
        Convention(cancellation.policy.terms.convention), cancellation.tenant.zone,
        cancellation.policy.terms.full_refund_hours, cancellation.policy.terms.prorated_refund_hours,
    )  # fmt: skip
    at = cancellation.priced_at if cancellation.mode == Mode.IMMEDIATE else cancellation.effective_at
    agreement_id = cancellation.subscription.agreement_id
    parts = RefundPart.objects.filter(refund__cancellations=cancellation).exclude(refund__status=RefundStatus.VOIDED)
    own = dict(parts.values_list("charge").annotate(Sum("amount")))
    quoted = {line["charge_id"] for line in cancellation.quote["lines"]}
    lines, in_flight = [], False
    for charge in charges_not_over([agreement_id], cancellation.priced_at).get(agreement_id, ()):
        if charge.id not in quoted:
            continue
        in_flight = in_flight or charge.in_flight > 0
        mine = own.get(charge.id, 0)
        line = prorate(replace(charge, refunded=charge.refunded - mine), at, terms)
        left = line.refund.minor_units - mine
        if left > 0:
            money, tax = Money(left, charge.currency), Money(charge.tax_in(left), charge.currency)
            lines.append(replace(line, refund=money, refund_tax=tax))
    return lines, in_flight


def _record(subscription: Subscription, action: str, now: datetime, **data: object) -> None:
    record(
        tenant_id=subscription.tenant_id,
        at=now,
        action=action,
        subject=f"Subscription:{subscription.pk}",
        caller=SYSTEM,
        language="en",
        data=data,
    )
