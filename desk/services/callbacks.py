"""Let us call you, as the customer sees it: ask, move, withdraw. The desk's side is in desk.py."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from django.utils.crypto import salted_hmac
from django.utils.translation import get_supported_language_variant

from common.references import new_reference
from desk.attempts import Next, Outcome
from desk.events import tell_callback
from desk.mail import CallOccasion, announce_call
from desk.models import (
    OPEN_STATUSES,
    CallbackAttempt,
    CallbackDesk,
    CallbackRequest,
    CallbackSource,
    CallbackStatus,
    CloseReason,
    OptOut,
)
from desk.phones import Phone, read_phone
from desk.selectors import desk_hours, open_windows
from desk.windows import HORIZON, call_by, credit_from, next_call
from subscriptions.errors import (
    ChangedMeanwhile,
    DoNotCall,
    InputInvalid,
    NotFound,
    RateLimited,
    RouteNotAvailable,
    TimeZoneInvalid,
    WindowNotAvailable,
)
from subscriptions.idempotency import IdempotentCall, one_transaction
from subscriptions.inputs import clean_text, locked_subscription
from subscriptions.models import Subscription
from subscriptions.policy.decision import Route
from subscriptions.selectors.batches import SubscriptionBatch
from subscriptions.selectors.lists import visible
from tenants.audit import events_about, record
from tenants.callers import Caller, CallerKind, Scope
from webhooks.models import EventType

CLAIM_LEASE = timedelta(minutes=20)
_MOST_A_DAY = 3
_DAY = timedelta(days=1)
LONGEST_NOTE = 500
LONGEST_NAME = 200
_LONGEST_PHONE = 50


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
        request = open_one or CallbackRequest(
            reference=new_reference("R"),
            tenant_id=subscription.tenant_id,
            subscription=subscription,
            requested_by_user_id=caller.user_id,
            requested_by_token_id=caller.token_id,
            source=source.value,
            requested_at=now,
        )
        _fill(request, subscription, wish, now)
        request.save()
        audit_call("callback.updated" if open_one else "callback.requested", caller, request, language, now)
        announce_call(CallOccasion.CHANGED if open_one else CallOccasion.BOOKED, request, now)
        if open_one is None:
            tell_callback(EventType.CALLBACK_REQUESTED, request, now)
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

    Moved by staff, it never costs the customer credit. ``seen``: see desk.py.

    Raises NotFound, ChangedMeanwhile, NotPermitted, RouteNotAvailable for a closed request, and what request_callback raises.
    """
    with one_transaction():
        request, subscription = locked_request(caller, callback_id)
        if request.status not in OPEN_STATUSES:
            raise RouteNotAvailable("callbackId").about(subscription.pk)
        require_seen(request, seen)
        settings = locked_desk()
        if phone is not None:
            set_phone(request, given_phone(phone, subscription, settings), phone, now)
        elif request.number_is_wrong:
            raise InputInvalid("phone", rule="another_number")
        credit = request.credit_from
        set_window(request, settings, window_start, now)
        if caller.kind is CallerKind.STAFF:
            request.credit_from = min(credit, request.credit_from)
        request.save()
        audit_call("callback.rescheduled", caller, request, language, now)
        announce_call(CallOccasion.CHANGED, request, now)
        return request


def withdraw_callback(*, caller: Caller, callback_id: int, language: str, now: datetime) -> CallbackRequest:
    """The customer needs no call any more; repeating it, or withdrawing a closed request, changes nothing.

    Raises NotFound, NotPermitted.
    """
    with one_transaction():
        request, _ = locked_request(caller, callback_id)
        if close_request(request, CallbackStatus.WITHDRAWN, CloseReason.WITHDRAWN_BY_CUSTOMER, now):
            audit_call("callback.withdrawn", caller, request, language, now)
            announce_call(CallOccasion.WITHDRAWN, request, now)
        request.refresh_from_db()
        return request


def read_time_zone(name: str, *path: str) -> ZoneInfo:
    """The IANA zone of that name. Raises TimeZoneInvalid."""
    if name not in available_timezones():
        raise TimeZoneInvalid(*path)
    return ZoneInfo(name)


def _require_route(caller: Caller, subscription: Subscription, now: datetime) -> None:
    batch = SubscriptionBatch.of_known(caller, subscription.pk, now)
    option = batch.decisions[subscription.pk].option(Route.REQUEST_CALLBACK)
    if not option.available:
        raise RouteNotAvailable("subscriptionId", reason=option.reason)


def locked_request(caller: Caller, callback_id: int) -> tuple[CallbackRequest, Subscription]:
    """A request with its subscription, both locked. Raises NotFound, NotPermitted."""
    found = visible(CallbackRequest.objects.all(), caller).filter(pk=callback_id).first()
    if found is None:
        raise NotFound("callbackId")
    subscription = locked_subscription(caller, found.subscription_id, Scope.CALLBACK, "callbackId")
    return CallbackRequest.objects.select_for_update(of=("self",)).get(pk=callback_id), subscription


def locked_desk() -> CallbackDesk:
    """The desk's settings, locked: two customers choosing the last place of a window take turns."""
    return CallbackDesk.objects.select_for_update().get(pk=1)


def _fill(request: CallbackRequest, subscription: Subscription, wish: Wish, now: datetime) -> None:
    """Check the whole wish before anything is written."""
    request.contact_name = clean_text(wish.contact_name, "contactName", most=LONGEST_NAME, required=True)
    request.note = clean_text(wish.note, "note", most=LONGEST_NOTE)
    request.language = read_language(wish.language)
    request.time_zone = read_time_zone(wish.time_zone or subscription.tenant.time_zone, "timeZone").key
    settings = locked_desk()
    set_phone(request, given_phone(wish.phone, subscription, settings), wish.phone, now)
    set_window(request, settings, wish.window_start, now)


def opt_out_digest(tenant_id: int, phone: str) -> str:
    """How the opt-out list knows a number: keyed, and another one for every tenant."""
    return salted_hmac("wayout.opt_out", f"{tenant_id} {phone}", algorithm="sha256").hexdigest()


def is_opted_out(tenant_id: int, phone: str) -> bool:
    """Whether the number asked this tenant's desk not to call."""
    return OptOut.objects.filter(digest=opt_out_digest(tenant_id, phone)).exists()


def read_language(code: str) -> str:
    """A language that is spoken here. Raises InputInvalid."""
    try:
        return get_supported_language_variant(code)
    except LookupError:
        raise InputInvalid("language", rule="choice") from None


def given_phone(text: str, subscription: Subscription, settings: CallbackDesk) -> Phone:
    """The number that was typed. Raises InputInvalid for none, and what read_phone raises."""
    typed = clean_text(text, "phone", most=_LONGEST_PHONE, required=True)
    return read_phone(typed, subscription.tenant.phone_region, settings.regions)


def set_phone(request: CallbackRequest, phone: Phone, as_typed: str, now: datetime) -> None:
    """Take the number, unless this tenant gave it for three other requests within a day, or it is the one that was wrong."""
    if request.pk and request.phone == phone.e164 and request.phone_extension == phone.extension:
        if request.number_is_wrong:
            raise InputInvalid("phone", rule="another_number")
        return
    if is_opted_out(request.tenant_id, phone.e164):
        raise DoNotCall("phone")
    theirs = CallbackRequest.objects.filter(tenant=request.tenant_id)
    same = theirs.filter(phone=phone.e164, phone_given_at__gt=now - _DAY).exclude(pk=request.pk)
    if same.count() >= _MOST_A_DAY:
        raise RateLimited("phone", limit=_MOST_A_DAY)
    request.phone, request.phone_extension = phone.e164, phone.extension
    if request.number_is_wrong:
        request.last_outcome = ""
    request.phone_is_valid, request.phone_as_typed, request.phone_given_at = phone.is_valid, as_typed.strip(), now


def set_window(request: CallbackRequest, settings: CallbackDesk, start: datetime | None, now: datetime) -> None:
    """Take a window that is open now (or was this request's already), or the first moment that suits both sides."""
    hours, zone = desk_hours(settings), ZoneInfo(request.time_zone)
    if start is not None and start != request.window_start:
        found = open_windows(zone, now, HORIZON.days, but=request.pk or 0)
        window = next((window for window in found if window.start == start), None)
        if window is None:
            raise WindowNotAvailable("windowId")
        request.window_end = window.end
    request.window_start = start
    if start is None:
        request.window_end = None
    by_window = credit_from(hours, request.requested_at, start)
    # What they postponed and has passed is not given back by asking for an earlier time later.
    request.credit_from = max(by_window, min(request.credit_from, now)) if request.pk else by_window
    promised = timedelta(hours=settings.answer_within_hours)
    request.due_at = request.window_end or call_by(hours, zone, request.requested_at, promised)
    request.next_attempt_at = start or next_call(hours, zone, now)
    waits_as = (CallbackStatus.SCHEDULED if start else CallbackStatus.NEW).value
    if request.status == CallbackStatus.CLAIMED:
        request.waited_as = waits_as
    else:
        request.status = waits_as


def close_request(request: CallbackRequest, status: CallbackStatus, reason: CloseReason, now: datetime) -> bool:
    """Close one request, and tell partners; False when it was not open."""
    still_open = CallbackRequest.objects.open().filter(pk=request.pk)
    closed = still_open.update(
        status=status,
        close_reason=reason,
        closed_at=now,
        next_attempt_at=None,
        claimed_by=None,
        claim_expires_at=None,
    )
    if closed:
        request.status, request.close_reason, request.closed_at = status.value, reason.value, now
        tell_callback(EventType.CALLBACK_CLOSED, request, now)
    return bool(closed)


def note_reached(request: CallbackRequest, now: datetime) -> None:
    """Write down that the agent who has claimed a request spoke with the customer, and that was the last call."""
    assert request.claimed_by_id is not None
    write_attempt(request, request.claimed_by_id, Outcome.REACHED, Next(None, counts=True), "", now)


def write_attempt(
    request: CallbackRequest, agent_id: int, outcome: Outcome, step: Next, note: str, now: datetime
) -> None:
    """Append an attempt; it began with the claim."""
    CallbackAttempt.objects.create(
        request=request,
        number=request.log.count() + 1,
        agent_id=agent_id,
        started_at=request.claim_expires_at - CLAIM_LEASE if request.claim_expires_at else now,
        ended_at=now,
        outcome=outcome.value,
        note=note,
        next_attempt_at=step.at,
        counts=step.counts,
    )


def subject_of(callback_id: int) -> str:
    """How the audit trail names a request."""
    return f"CallbackRequest:{callback_id}"


def require_seen(request: CallbackRequest, seen: int | None) -> None:
    """Raise ChangedMeanwhile when the trail of a locked request goes on after the position ``seen``; None: no matter."""
    if seen is not None and events_about(request.tenant_id, subject_of(request.pk), after=seen).exists():
        raise ChangedMeanwhile


def audit_call(
    action: str, caller: Caller, request: CallbackRequest, language: str, now: datetime, **more: str
) -> None:
    """Put one event about a request on the tenant's trail, with what ``more`` is evidence."""
    record(
        tenant_id=request.tenant_id,
        at=now,
        action=action,
        subject=subject_of(request.pk),
        caller=caller,
        language=language,
        data={
            "reference": request.reference,
            "subscription": request.subscription_id,
            "window_start": request.window_start,
            "credit_from": request.credit_from,
            **more,
        },
        personal={"name": caller.name, "contact": request.contact_name, "phone": request.phone, "note": request.note},
    )
