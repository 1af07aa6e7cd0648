"""Let us call you, as the customer sees it: ask, move, withdraw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.references import new_reference
from desk.codes import OPEN_STATUSES, CallOccasion, CloseReason
from desk.errors import NumberUnanswered
from desk.events import CallEvent, publish_callback
from desk.mail import queue_call_mail
from desk.models import CallbackRequest, CallbackSource
from desk.services.cases import audit_call, close_request, locked_request, require_seen
from desk.services.contacts import LONGEST_NAME, LONGEST_NOTE, given_phone, read_language, set_phone
from desk.services.times import locked_desk, read_time_zone, set_window
from subscriptions.errors import RouteNotAvailable
from subscriptions.idempotency import IdempotentCall, one_transaction
from subscriptions.inputs import clean_text, locked_subscription
from subscriptions.models import Subscription
from subscriptions.policy.decision import Route
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.actions import Action
from tenants.callers import Caller, CallerKind, Scope


@dataclass(frozen=True, slots=True)
class Requested:
    """The request, and whether an open one was there and was updated instead."""

    request: CallbackRequest
    existing: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer asks for. ``window_start`` None: as soon as possible; ``time_zone`` None: the tenant's."""

    phone: str
    contact_name: str
    language: str
    time_zone: str | None
    window_start: datetime | None
    note: str


def request_callback(
    *,
    caller: Caller,
    subscription_id: int,
    wish: Wish,
    idempotency_key: str | None,
    source: CallbackSource,
    language: str,
    now: datetime,
) -> Requested:
    """Put one request per subscription into the queue, or update the open one; it keeps its place and its credit.

    Raises NotFound, NotPermitted, RouteNotAvailable, PhoneInvalid, PhoneKindUnsupported, PhoneRegionUnsupported,
    TimeZoneInvalid, WindowNotAvailable, RateLimited, IdempotencyKeyReused, InputInvalid.
    """
    with one_transaction():
        subscription = locked_subscription(caller, subscription_id, Scope.CALLBACK, "subscriptionId")
        call = IdempotentCall.of(
            subscription.tenant_id,
            "requestCallback",
            idempotency_key,
            now,
            subscription=subscription_id,
            wish=[wish.phone, wish.contact_name, wish.language, wish.time_zone, str(wish.window_start), wish.note],
        )
        if known := call.answered():
            return Requested(CallbackRequest.objects.get(pk=known["callback"]), existing=known["existing"])
        open_one = CallbackRequest.objects.open().filter(subscription=subscription).first()
        if open_one is None:
            _require_route(caller, subscription, now)
        request = open_one or _new(caller, subscription, source, now)
        _fill(request, subscription, wish, now)
        request.save()
        audit_call(Action.CALLBACK_UPDATED if open_one else Action.CALLBACK_REQUESTED, caller, request, language, now)
        queue_call_mail(CallOccasion.CHANGED if open_one else CallOccasion.BOOKED, request, now)
        if open_one is None:
            publish_callback(CallEvent.CALLBACK_REQUESTED, request, now)
        call.remember({"callback": request.pk, "existing": open_one is not None})
        return Requested(request, existing=open_one is not None)


def reschedule_callback(
    *,
    caller: Caller,
    callback_id: int,
    phone: str | None,
    window_start: datetime | None,
    language: str,
    now: datetime,
    seen: int | None = None,
) -> CallbackRequest:
    """Change the number (None: keep it, unless it is wrong) and the window (None: as soon as possible) of an open request.

    Moved by staff, it never costs the customer credit. ``seen``: see require_seen.

    Raises NotFound, ChangedMeanwhile, NotPermitted, RouteNotAvailable for a closed request, and what request_callback raises.
    """
    with one_transaction():
        request, subscription = locked_request(caller, callback_id)
        if request.status not in OPEN_STATUSES:
            raise RouteNotAvailable("callbackId", subscription_id=subscription.pk)
        require_seen(request, seen)
        settings = locked_desk()
        if phone is not None:
            set_phone(request, given_phone(phone, subscription, settings), phone, now)
        elif request.number_is_wrong:
            raise NumberUnanswered("phone")
        credit = request.credit_from
        set_window(request, settings, window_start, now)
        if caller.kind is CallerKind.STAFF:
            request.credit_from = min(credit, request.credit_from)
        request.save()
        audit_call(Action.CALLBACK_RESCHEDULED, caller, request, language, now)
        queue_call_mail(CallOccasion.CHANGED, request, now)
        return request


def withdraw_callback(*, caller: Caller, callback_id: int, language: str, now: datetime) -> CallbackRequest:
    """The customer needs no call any more; repeating it, or withdrawing a closed request, changes nothing.

    Raises NotFound, NotPermitted.
    """
    with one_transaction():
        request, _ = locked_request(caller, callback_id)
        reason = CloseReason.WITHDRAWN_BY_CUSTOMER
        if close_request(request, reason, now):
            audit_call(Action.CALLBACK_WITHDRAWN, caller, request, language, now)
            queue_call_mail(reason.mail, request, now)
        request.refresh_from_db()
        return request


def _new(caller: Caller, subscription: Subscription, source: CallbackSource, now: datetime) -> CallbackRequest:
    return CallbackRequest(
        reference=new_reference("R"),
        tenant_id=subscription.tenant_id,
        subscription=subscription,
        requested_by_user_id=caller.user_id,
        requested_by_token_id=caller.token_id,
        requested_by_vouched_id=caller.vouched_id,
        source=source.value,
        requested_at=now,
    )


def _require_route(caller: Caller, subscription: Subscription, now: datetime) -> None:
    batch = SubscriptionBatch.get(caller, subscription.pk, now)
    option = batch.decisions[subscription.pk].option(Route.REQUEST_CALLBACK)
    if not option.available:
        raise RouteNotAvailable("subscriptionId", reason=option.reason)


def _fill(request: CallbackRequest, subscription: Subscription, wish: Wish, now: datetime) -> None:
    """Check the whole wish before anything is written."""
    request.contact_name = clean_text(wish.contact_name, "contactName", limit=LONGEST_NAME, required=True)
    request.note = clean_text(wish.note, "note", limit=LONGEST_NOTE)
    request.language = read_language(wish.language)
    request.time_zone = read_time_zone(wish.time_zone or subscription.tenant.time_zone, "timeZone").key
    settings = locked_desk()
    set_phone(request, given_phone(wish.phone, subscription, settings), wish.phone, now)
    set_window(request, settings, wish.window_start, now)
