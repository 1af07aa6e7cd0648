"""Refunds that are overdue or failed, each found once."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q

from billing.models import PROMISED_REFUND_STATUSES, STUCK_REFUND_STATUSES, Refund

# Nowhere is it later, nor earlier, than this beside UTC.
_EASTMOST, _WESTMOST = timedelta(hours=14), timedelta(hours=-12)


def overdue(now: datetime) -> Q:
    """Promised refunds that should be back since yesterday, where their tenant is. Asks for those about which zones differ."""
    promised = Refund.objects.filter(status__in=PROMISED_REFUND_STATUSES)
    surely, perhaps = (now + _WESTMOST).date(), (now + _EASTMOST).date()
    between = promised.filter(due_by__gte=surely, due_by__lt=perhaps).select_related("agreement__account__tenant")
    late = [refund.pk for refund in between if refund.due_by < now.astimezone(_zone(refund)).date()]
    return Q(status__in=PROMISED_REFUND_STATUSES) & (Q(due_by__lt=surely) | Q(pk__in=late))


def late_refunds(now: datetime) -> list[Refund]:
    """The refunds that are overdue or failed and were not found before, at most 500."""
    late = Refund.objects.filter(Q(status__in=STUCK_REFUND_STATUSES) | overdue(now), found_late_at=None)
    return list(late.select_related("agreement__account__tenant")[:500])


def _zone(refund: Refund) -> ZoneInfo:
    zone: ZoneInfo = refund.agreement.account.tenant.zone
    return zone


def note_late(*, refund: Refund, now: datetime) -> bool:
    """Note, in the caller's transaction, that it was found late; False when somebody else has."""
    return bool(Refund.objects.filter(pk=refund.pk, found_late_at=None).update(found_late_at=now))
