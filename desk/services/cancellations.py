"""A cancellation and the customer's call: what staff cancel counts from the call, and canceling closes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from common.errors import ChangedMeanwhile
from desk.codes import CloseReason
from desk.errors import ClaimedElsewhere
from desk.mail import queue_call_mail
from desk.models import CallbackRequest
from desk.selectors import open_call
from desk.services.cases import audit_call, close_request, note_reached
from subscriptions.cancellations.service import Canceled, StaffCancellation, cancel_subscription
from subscriptions.models import Cancellation, Subscription
from subscriptions.policy.facts import OnBehalf
from subscriptions.selectors.batches import SubscriptionBatch
from subscriptions.signals import canceled, canceling
from tenants.actions import Action
from tenants.callers import Caller, CallerKind


def batch_on_behalf(caller: Caller, subscription_id: int, at: datetime) -> SubscriptionBatch | None:
    """One subscription as staff cancel it for the customer, with credit from their open call; None: not seen."""
    call = open_call(subscription_id)
    on_behalf = OnBehalf(call.credit_from if call else None)
    return SubscriptionBatch.find(caller, subscription_id, at, on_behalf=on_behalf)


def cancel_on_behalf(
    *,
    caller: Caller,
    subscription_id: int,
    quote_id: str,
    idempotency_key: str,
    reason: str,
    amount: int | None = None,
    language: str,
    now: datetime,
) -> Canceled:
    """Cancel for the customer, who may wait for a call: then credit counts from it. ``amount``: minor units.

    Raises ClaimedElsewhere while another agent has the call, ChangedMeanwhile when it was moved in this very moment,
    and what cancel_subscription raises.
    """
    call = open_call(subscription_id)
    staff = StaffCancellation(
        reason=reason,
        amount=amount,
        credit_from=call.credit_from if call else None,
        customer_id=call.requested_by_user_id if call else None,
        language=call.language if call else "",
    )
    return cancel_subscription(
        caller=caller,
        subscription_id=subscription_id,
        quote_id=quote_id,
        idempotency_key=idempotency_key,
        language=language,
        now=now,
        staff=staff,
    )


@receiver(canceling)
def check_call(
    *, subscription: Subscription, caller: Caller, staff: StaffCancellation | None, now: datetime, **_: Any
) -> None:
    """Under the subscription's lock: nobody else has the call, and it is still as the credit was counted by."""
    if staff is None:
        return
    call = open_call(subscription.pk)
    if call and call.is_claimed(now) and call.claimed_by_id != caller.user_id:
        raise ClaimedElsewhere
    if staff.credit_from != (call.credit_from if call else None):
        raise ChangedMeanwhile


@receiver(canceled)
def close_call(*, cancellation: Cancellation, caller: Caller, language: str, now: datetime, **_: Any) -> None:
    """Canceling resolves what the customer wanted to be called about."""
    call = open_call(cancellation.subscription_id)
    if call is None:
        return
    by_staff = caller.kind is CallerKind.STAFF
    if by_staff and call.is_claimed(now):
        note_reached(call, now)
    CallbackRequest.objects.filter(pk=call.pk).update(cancellation=cancellation)
    reason = CloseReason.CANCELED_BY_AGENT if by_staff else CloseReason.RESOLVED_ONLINE
    if close_request(call, reason, now):
        audit_call(Action.CALLBACK_CANCELED, caller, call, language, now, cancellation=cancellation.reference)
        queue_call_mail(reason.mail, call, now)
