"""Take what a provider says by itself: a repeated or late word changes nothing."""

from __future__ import annotations

from datetime import datetime

from billing.elsewhere import record_change
from billing.provider_facts import record_payment, record_return
from billing.providers.base import PaymentUpdate, RefundUpdate, SubscriptionUpdate, Update
from billing.refunds.results import record_provider_event


def record_update(*, provider: str, update: Update, now: datetime) -> bool:
    """Hand it to the refund, charge or agreement it is about; False where it is nothing of ours, or nothing new."""
    if isinstance(update, SubscriptionUpdate):
        return record_change(provider=provider, external_id=update.external_id, now=now)
    if isinstance(update, PaymentUpdate):
        return record_payment(provider=provider, update=update, now=now)
    if not isinstance(update, RefundUpdate):
        return record_return(provider=provider, update=update, now=now)
    if record_provider_event(provider=provider, key=update.key, result=update.result, now=now):
        return True
    # Made under a key that looks like ours by somebody else, such as a copy of this database.
    return update.elsewhere is not None and record_return(provider=provider, update=update.elsewhere, now=now)
