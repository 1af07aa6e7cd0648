"""Refunds that are overdue or failed, each found once."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from billing.models import PROMISED_REFUND_STATUSES, STUCK_REFUND_STATUSES, Refund
from billing.periods import days_anywhere
from billing.selectors import day_of


def overdue(now: datetime) -> Q:
    """Promised refunds that should be back since yesterday, where their tenant is. Asks for those about which zones differ."""
    promised = Refund.objects.filter(status__in=PROMISED_REFUND_STATUSES)
    surely, perhaps = days_anywhere(now)
    between = promised.filter(due_by__gte=surely, due_by__lt=perhaps).select_related("agreement__account__tenant")
    late = [refund.pk for refund in between if refund.due_by < day_of(refund.agreement, now)]
    return Q(status__in=PROMISED_REFUND_STATUSES) & (Q(due_by__lt=surely) | Q(pk__in=late))


def late_refunds(now: datetime) -> list[Refund]:
    """The refunds that are overdue or failed and were not found before, at most 500."""
    late = Refund.objects.filter(Q(status__in=STUCK_REFUND_STATUSES) | overdue(now), found_late_at=None)
    return list(late.select_related("agreement__account__tenant")[:500])


def note_late(*, refund: Refund, now: datetime) -> bool:
    """Note, in the caller's transaction, that it was found late; False when somebody else has."""
    return bool(Refund.objects.filter(pk=refund.pk, found_late_at=None).update(found_late_at=now))
