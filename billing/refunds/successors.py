"""Promises in a currency that has ended since: what nobody has paid yet is paid, and so promised, in its successor."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from billing.currencies import ENDED, currency_on
from billing.models import PartStatus, Refund, RefundStatus
from billing.periods import days_anywhere
from billing.refunds.moves import audit_refund, lock
from billing.selectors import day_of, owed_refunds
from outbox.each import each_by_itself
from tenants.actions import Action
from tenants.people import SYSTEM


def convert_unpaid(now: datetime) -> int:
    """Convert every refund that is promised in what has ended. Returns how many."""
    _earliest, latest = days_anywhere(now)
    ended = [currency for currency, end in ENDED.items() if latest > end.last_day]
    refunds = _unpaid().filter(currency__in=ended).select_related("agreement__account__tenant")
    return each_by_itself(refunds, lambda refund: convert(refund, now), work="convert_unpaid_refunds", now=now)


def convert(refund: Refund, now: datetime) -> bool:
    """Promise a refund in the successor, each part divided once; False where nobody may: it has not ended, or was sent.

    One that is worth less than the smallest coin stays as it is. Reads its agreement, account and tenant.
    """
    successor = currency_on(refund.currency, day_of(refund.agreement, now))
    if successor == refund.currency:
        return False
    with transaction.atomic(durable=True):
        lock(refund)
        if not _unpaid().filter(pk=refund.pk).exists():
            return False
        refund.refresh_from_db(fields=["amount", "currency"])
        before = refund.money
        parts = list(refund.parts.select_related("charge"))
        for part in parts:
            part.promised = part.charge.money(part.amount).into(successor).minor_units
        if not all(part.promised for part in parts):
            return False
        for part in parts:
            part.save(update_fields=["promised"])
        refund.amount, refund.currency = sum(part.promised for part in parts), successor
        refund.changed_at = now
        refund.save(update_fields=["amount", "currency", "changed_at"])
        audit_refund(refund, Action.REFUND_CONVERTED, SYSTEM, now, before=str(before))
        return True


def _unpaid() -> QuerySet[Refund]:
    """Those of which no provider has, or had, any part: what is owed is with nobody but us."""
    ours = Q(status__in=(RefundStatus.HELD, RefundStatus.PENDING, RefundStatus.FAILED)) | Q(pk__in=owed_refunds())
    return Refund.objects.filter(ours).exclude(parts__status=PartStatus.SUCCEEDED)
