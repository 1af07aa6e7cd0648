"""Subscriptions whose period is over and that go on. It looks at the rows, so it catches up by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from billing.models import Charge
from billing.periods import Billed, rolled
from billing.selectors import billed_periods
from common.languages import DEFAULT_LANGUAGE
from outbox.each import each_by_itself
from subscriptions.directory.periods import anchor_of, period_by_charges
from subscriptions.directory.values import MAX_SEATS
from subscriptions.models import Subscription
from subscriptions.models.plans import LAPSES
from subscriptions.policy.facts import Status
from tenants.actions import Action
from tenants.audit import record
from tenants.people import SYSTEM

_BATCH = 500


def roll_periods(now: datetime) -> int:
    """Write the period that contains ``now`` where another is on record: of its charges, else the term that follows.

    What was billed ahead goes on by that, also without a term, and where it does not renew. Anchors do not drift.
    """
    due = list(_due(now).select_related("tenant").order_by("period_end", "pk")[:_BATCH])
    charges = billed_periods(_running(now).filter(agreement__in=[row.agreement_id for row in due]))
    return each_by_itself(due, partial(_roll, charges=charges, now=now), work="roll_periods", now=now)


def _running(now: datetime) -> QuerySet[Charge]:
    return Charge.objects.filter(period_start__lte=now, period_end__gt=now)


def _due(now: datetime) -> QuerySet[Subscription]:
    is_billed = Q(Exists(_running(now).filter(agreement=OuterRef("agreement"))))
    rolls = ~LAPSES & Q(term_months__isnull=False)
    return Subscription.objects.filter(
        (Q(period_end__lte=now) & (rolls | is_billed)) | (Q(period_start__gt=now) & is_billed),
        canceled_mode=None,
        ended_source="",
        base_status__in=[Status.ACTIVE, Status.SUSPENDED],
    )


def _roll(subscription: Subscription, charges: Mapping[int, Sequence[Billed]], now: datetime) -> bool:
    before, zone = subscription.period, subscription.tenant.zone
    assert before
    found = period_by_charges(charges.get(subscription.agreement_id, ()), before, now)
    seats = {}
    if found:
        period = found.period
        anchor = anchor_of(subscription.anchored_at, subscription.term_months, period, zone)
        seats = {"purchased_licenses": found.seats} if 0 < found.seats <= MAX_SEATS else {}
    else:
        assert subscription.term_months
        anchor = subscription.anchored_at or before.start
        period = rolled(anchor, subscription.term_months, now, zone)
    with transaction.atomic(durable=True):
        same = Subscription.objects.filter(
            pk=subscription.pk, canceled_mode=None, ended_source="", period_start=before.start, period_end=before.end
        )
        moved = same.update(
            period_start=period.start, period_end=period.end, anchored_at=anchor, is_trial=False, **seats
        )
        if moved:
            record_by_itself(subscription, Action.SUBSCRIPTION_RENEWED, now, period_end=period.end)
    return bool(moved)


def record_by_itself(subscription: Subscription, action: Action, now: datetime, **data: object) -> None:
    """Write on the trail what nobody here decided."""
    record(
        tenant_id=subscription.tenant_id,
        at=now,
        action=action,
        subject=f"Subscription:{subscription.pk}",
        caller=SYSTEM,
        language=DEFAULT_LANGUAGE,
        data=data,
    )
