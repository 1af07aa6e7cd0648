"""Taking up again what is over. For ``seen`` see outcomes.py."""

from __future__ import annotations

from datetime import datetime

from common.errors import NotPermitted
from desk.codes import REOPENABLE, CallbackStatus, CallOccasion
from desk.errors import CallbackOpen
from desk.events import CallEvent, publish_callback
from desk.mail import queue_call_mail
from desk.models import CallbackDesk, CallbackRequest
from desk.services.cases import audit_call, locked_request, require_seen
from desk.services.contacts import LONGEST_NAME, LONGEST_NOTE, given_phone, lift, set_phone
from desk.services.times import locked_desk, set_window
from subscriptions.errors import RouteNotAvailable
from subscriptions.idempotency import one_transaction
from subscriptions.inputs import clean_text
from subscriptions.models import Subscription
from subscriptions.policy.decision import Route
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.actions import Action
from tenants.callers import Caller


def open_instead(request: CallbackRequest) -> CallbackRequest | None:
    """The open request, this one or another, because of which this one cannot be reopened."""
    still_open = CallbackRequest.objects.open().filter(subscription=request.subscription_id)
    return still_open.exclude(pk=request.pk, status__in=REOPENABLE).first()


def reopen_callback(
    *,
    caller: Caller,
    callback_id: int,
    reason: str,
    phone: str,
    contact_name: str,
    may_lift: bool,
    language: str,
    now: datetime,
    seen: int | None = None,
) -> CallbackRequest:
    """Put a request that is over back into the queue, to be called as soon as possible, and tell the customer.

    It keeps when it was asked for and from when credit counts; calls that nobody answered count anew. ``phone`` and
    ``contact_name`` stand in for what was erased, ``phone`` for a wrong number too. ``may_lift``: a number that asked not to be called may come off
    that list. ``reason`` goes on the trail.

    Raises NotFound, ChangedMeanwhile, CallbackOpen for one that is not over or where another is open for the
    subscription, NotPermitted for a do-not-call and DoNotCall for a number on that list without ``may_lift``,
    RouteNotAvailable for a subscription that is canceled, ended, or not ours to cancel, InputInvalid, and what
    request_callback raises of a number.
    """
    reason = clean_text(reason, "reason", limit=LONGEST_NOTE, required=True)
    contact_name = clean_text(contact_name, "contact_name", limit=LONGEST_NAME)
    with one_transaction():
        request, subscription = locked_request(caller, callback_id)
        require_seen(request, seen)
        _require_over(request)
        _require_wanted(caller, subscription, now)
        if request.status == CallbackStatus.DO_NOT_CALL and not may_lift:
            raise NotPermitted
        settings = locked_desk()
        if phone or not request.phone or request.number_is_wrong:
            number = given_phone(phone, subscription, settings)
            lift(request.tenant_id, number.e164, may_lift=may_lift)
            set_phone(request, number, phone, now)
        else:
            lift(request.tenant_id, request.phone, may_lift=may_lift)
        request.contact_name = request.contact_name or contact_name
        _begin_anew(request, settings, now)
        request.save()
        audit_call(Action.CALLBACK_REOPENED, caller, request, language, now, reason=reason)
        queue_call_mail(CallOccasion.REOPENED, request, now)
        publish_callback(CallEvent.CALLBACK_REQUESTED, request, now)
        return request


def _require_over(request: CallbackRequest) -> None:
    if waiting := open_instead(request):
        raise CallbackOpen(callback=waiting.pk, reference=waiting.reference)


def _require_wanted(caller: Caller, subscription: Subscription, now: datetime) -> None:
    """There is something to call about: fewer licenses than when it was asked for are no reason not to."""
    decision = SubscriptionBatch.get(caller, subscription.pk, now).decisions[subscription.pk]
    shown = decision.options[0]
    if shown.route not in (Route.CANCEL_ONLINE, Route.REMOVE_USERS, Route.REQUEST_CALLBACK):
        raise RouteNotAvailable(reason=shown.reason)


def _begin_anew(request: CallbackRequest, settings: CallbackDesk, now: datetime) -> None:
    credit, request.status = request.credit_from, CallbackStatus.NEW.value
    set_window(request, settings, None, now)
    request.credit_from = credit
    request.attempts, request.close_reason = 0, ""
    request.cancellation = None
    request.closed_at = request.erased_at = request.claimed_by = request.claim_expires_at = None
