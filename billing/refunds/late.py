"""Refunds that are overdue or failed, each found once."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from billing.models import PROMISED_REFUND_STATUSES, STUCK_REFUND_STATUSES, Refund

# Nowhere is it later than this after UTC.
_EASTMOST = timedelta(hours=14)


def late_refunds(now: datetime) -> list[Refund]:
    """The refunds that are overdue or failed and were not found before, at most 500."""
    late = Refund.objects.filter(found_late_at=None).filter(
        Q(status__in=STUCK_REFUND_STATUSES)
        | Q(status__in=PROMISED_REFUND_STATUSES, due_by__lt=(now + _EASTMOST).date())
    )
    return [refund for refund in late.select_related("agreement__account__tenant")[:500] if _is_late(refund, now)]


def _is_late(refund: Refund, now: datetime) -> bool:
    local_day = now.astimezone(refund.agreement.account.tenant.zone).date()
    return refund.status in STUCK_REFUND_STATUSES or refund.due_by < local_day


def note_late(*, refund: Refund, now: datetime) -> bool:
    """Note, in the caller's transaction, that it was found late; False when somebody else has."""
    return bool(Refund.objects.filter(pk=refund.pk, found_late_at=None).update(found_late_at=now))
