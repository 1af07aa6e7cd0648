"""Subscriptions that were ended, or will not renew, at whoever bills them: its dashboard, its dunning. No Cancellation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from billing.elsewhere import STOPPED
from billing.models import Agreement
from billing.renewal_stop import RenewalStop
from outbox.registry import Lane, handles
from subscriptions.idempotency import one_transaction
from subscriptions.models import Subscription
from subscriptions.renewal import record_by_itself
from tenants.actions import Action


@handles(STOPPED, Lane.MONEY)
def follow_stop(payload: dict[str, Any], now: datetime) -> None:
    """What ended is over since then: nothing to cancel, and no refund is promised. Else whether it renews is news."""
    with one_transaction():
        found = Subscription.objects.select_for_update(of=("self",), no_key=True)
        subscription = found.filter(agreement=payload["agreement"], canceled_mode=None, ended_source="").first()
        agreement = Agreement.objects.get(pk=payload["agreement"])
        # A later look may have found something else meanwhile, which has a task of its own.
        if subscription is None or agreement.stopped_elsewhere != payload["stop"]:
            return
        at, reason = datetime.fromisoformat(payload["at"]), payload["reason"]
        if payload["stop"] == RenewalStop.NOW:
            _end(subscription, agreement.provider, reason, at)
            action = Action.SUBSCRIPTION_ENDED_ELSEWHERE
        else:
            subscription.renews = payload["stop"] == RenewalStop.NONE
            action = Action.SUBSCRIPTION_RENEWAL_CHANGED
        subscription.save(update_fields=["ended_source", "ended_reason", "renews", "period_start", "period_end"])
        said = {"source": agreement.provider, "reason": reason, "at": at.isoformat(), "renews": subscription.renews}
        record_by_itself(subscription, action, now, **said)


def _end(subscription: Subscription, source: str, reason: str, at: datetime) -> None:
    subscription.ended_source, subscription.ended_reason, subscription.renews = source, reason[:100], False
    if subscription.period_start is None or subscription.period_start >= at:
        subscription.period_start = at - timedelta(seconds=1)
    subscription.period_end = at
