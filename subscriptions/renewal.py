"""Subscriptions that renewed by themselves. It looks at the rows, so it catches up by itself."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from billing.periods import rolled
from common.languages import DEFAULT_LANGUAGE
from outbox.each import each_by_itself
from subscriptions.models import Subscription
from subscriptions.policy.facts import Status
from tenants.actions import Action
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
            _record(subscription, Action.SUBSCRIPTION_RENEWED, now, period_end=period.end)
    return bool(moved)


def _record(subscription: Subscription, action: Action, now: datetime, **data: object) -> None:
    record(
        tenant_id=subscription.tenant_id,
        at=now,
        action=action,
        subject=f"Subscription:{subscription.pk}",
        caller=SYSTEM,
        language=DEFAULT_LANGUAGE,
        data=data,
    )
