"""Take what a provider says by itself: a repeated or late word changes nothing."""

from __future__ import annotations

from datetime import datetime

from billing.charges import record_payment
from billing.money import MAX_MINOR_UNITS
from billing.providers.base import RefundUpdate, Update
from billing.refunds.results import record_provider_event


def record_update(*, provider: str, update: Update, now: datetime) -> bool:
    """Hand it to the refund or the charge it is about; False where it is nothing of ours, or nothing new."""
    if isinstance(update, RefundUpdate):
        return record_provider_event(provider=provider, key=update.key, result=update.result, now=now)
    if not 0 <= update.paid <= MAX_MINOR_UNITS:
        return False
    return record_payment(provider=provider, external_ids=update.external_ids, paid=update.paid, now=now)
