"""Subscriptions that were ended, or will not renew, at whoever bills them: its dashboard, its dunning. No Cancellation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.dispatch import receiver

from billing.models import Agreement
from billing.renewal_stop import RenewalStop
from billing.signals import stopped_elsewhere
from common.languages import DEFAULT_LANGUAGE
from subscriptions.models import Subscription
from tenants.actions import Action
from tenants.audit import record
from tenants.people import SYSTEM


@receiver(stopped_elsewhere)
def follow_stop(*, agreement: Agreement, stop: RenewalStop, at: datetime, reason: str, now: datetime, **_: Any) -> None:
    """What ended is over since ``at``: nothing to cancel, and no refund is promised. Else whether it renews is news."""
    found = Subscription.objects.select_for_update(of=("self",), no_key=True).filter(agreement=agreement)
    subscription = found.filter(canceled_mode=None, ended_source="").first()
    if subscription is None:
        return
    if stop is RenewalStop.NOW:
        subscription.ended_source, subscription.ended_reason = agreement.provider, reason[:100]
        subscription.renews = False
        if subscription.period_start is None or subscription.period_start >= at:
            subscription.period_start = at - timedelta(seconds=1)
        subscription.period_end = at
        action = Action.SUBSCRIPTION_ENDED_ELSEWHERE
    else:
        subscription.renews = stop is RenewalStop.NONE
        action = Action.SUBSCRIPTION_RENEWAL_CHANGED
    subscription.save(update_fields=["ended_source", "ended_reason", "renews", "period_start", "period_end"])
    record(
        tenant_id=subscription.tenant_id,
        at=now,
        action=action,
        subject=f"Subscription:{subscription.pk}",
        caller=SYSTEM,
        language=DEFAULT_LANGUAGE,
        data={"source": agreement.provider, "reason": reason, "at": at.isoformat(), "renews": subscription.renews},
    )
