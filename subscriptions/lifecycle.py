"""What time does to subscriptions and their money. Each function looks at the rows, so it catches up by itself."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models import Refund
from billing.periods import rolled
from billing.refunds.late import late_refunds, note_late
from outbox.each import each_by_itself
from outbox.mail import tell_staff
from subscriptions.cancellations.announcements import Occasion, announce_refund
from subscriptions.idempotency import KEPT_FOR
from subscriptions.models import IdempotencyRecord, Subscription
from subscriptions.policy.facts import Status
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
    due = over.select_related("tenant").order_by("period_end", "pk")[:_BATCH]
    return each_by_itself(due, lambda row: _roll(row, now), work="roll_periods", now=now)


def _roll(subscription: Subscription, now: datetime) -> bool:
    assert subscription.period_start
    assert subscription.term_months
    anchor = subscription.anchored_at or subscription.period_start
    period = rolled(anchor, subscription.term_months, now, subscription.tenant.zone)
    with transaction.atomic(durable=True):
        same = Subscription.objects.filter(pk=subscription.pk, canceled_mode=None, period_end=subscription.period_end)
        moved = same.update(period_start=period.start, period_end=period.end, anchored_at=anchor, is_trial=False)
        if moved:
            _record(subscription, "subscription.renewed", now, period_end=period.end)
    return bool(moved)


def tell_late_refunds(now: datetime) -> int:
    """Tell staff, and once the tenant, of refunds that are overdue or failed."""
    return each_by_itself(late_refunds(now), lambda refund: _tell_late(refund, now), work="tell_late_refunds", now=now)


def _tell_late(refund: Refund, now: datetime) -> bool:
    with transaction.atomic(durable=True):
        if not note_late(refund=refund, now=now):
            return False
        if refund.cancellations.exists():
            announce_refund(Occasion.REFUND_LATE, refund, now)
        else:
            # Made by hand: no cancellation has anybody who waits for it.
            values = {"refund": refund.pk, "amount": refund.money}
            tell_staff(key=f"late:{refund.pk}:{now.isoformat()}", sentence=_LATE, values=values, now=now)
        return True


_LATE = _("Refund %(refund)s of %(amount)s, made by hand, failed or is overdue.")


def forget_keys(now: datetime) -> int:
    """Drop idempotency keys that are older than they are kept."""
    return IdempotencyRecord.objects.filter(created_at__lt=now - KEPT_FOR).delete()[0]


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
