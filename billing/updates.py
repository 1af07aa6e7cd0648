"""Take what a provider says by itself: a repeated or late word changes nothing."""

from __future__ import annotations

from datetime import datetime

from billing.charges import payment_settled
from billing.money import MAX_MINOR_UNITS
from billing.providers.base import RefundUpdate, Update
from billing.refunds.results import record_provider_event


def record_update(*, provider: str, update: Update, now: datetime) -> bool:
    """Hand it to the refund or the charge it is about; False where it is nothing of ours, or nothing new."""
    if isinstance(update, RefundUpdate):
        return record_provider_event(provider=provider, key=update.key, result=update.result, now=now)
    if not 0 <= update.settled <= MAX_MINOR_UNITS:
        return False
    return payment_settled(provider=provider, external_ids=update.external_ids, settled=update.settled, now=now)
