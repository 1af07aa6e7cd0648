"""Let us call you: ask, move, withdraw; and for the desk, claim, release and close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from django.db.models import Q, QuerySet
from django.utils.crypto import salted_hmac
from django.utils.translation import get_supported_language_variant

from subscriptions.attempts import Next, Outcome, what_next
from subscriptions.errors import (
    DoNotCall,
    InputInvalid,
    NotFound,
    RateLimited,
    RouteNotAvailable,
    TimeZoneInvalid,
    WindowNotAvailable,
)
from subscriptions.models import CallbackAttempt, CallbackDesk, CallbackRequest, OptOut, Subscription
from subscriptions.models.callbacks import DISPOSITIONS, OPEN_STATUSES, CallbackSource, CallbackStatus, CloseReason
from subscriptions.phones import Phone, read_phone
from subscriptions.policy import Route
from subscriptions.references import new_reference
from subscriptions.selectors import SubscriptionBatch, desk, desk_hours, open_windows, visible, window_end
from subscriptions.services.announcements import CallOccasion, announce_call
from subscriptions.services.idempotency import IdempotentCall, one_transaction
from subscriptions.services.inputs import clean_text, locked_subscription
from subscriptions.windows import HORIZON, credit_from, next_open
from tenants.audit import record
from tenants.callers import Caller, Scope
from tenants.models import AuditPersonalData, User
from tenants.people import SYSTEM

CLAIM_LEASE = timedelta(minutes=20)
# How often "claim next" looks again when others were faster.
_TRIES = 50
_MOST_A_DAY = 3
_DAY = timedelta(days=1)
_LONGEST_PHONE, _LONGEST_NAME, _LONGEST_NOTE = 50, 200, 500


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
        open_one = CallbackRequest.objects.filter(subscription=subscription, status__in=OPEN_STATUSES).first()
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
        _audit("callback.updated" if open_one else "callback.requested", caller, request, language, now)
        announce_call(CallOccasion.CHANGED if open_one else CallOccasion.BOOKED, request, now)
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
) -> CallbackRequest:
    """Change the number (None: keep it) and the window (None: as soon as possible) of an open request.

    Raises NotFound, NotPermitted, RouteNotAvailable for a closed request, and what request_callback raises.
    """
    with one_transaction():
        request, subscription = _locked(caller, callback_id)
        if request.status not in OPEN_STATUSES:
            raise RouteNotAvailable("callbackId").about(subscription.pk)
        settings = _locked_desk()
        if phone is not None:
            _set_phone(request, _phone(phone, subscription, settings), phone, now)
        _set_window(request, settings, window_start, now)
        request.save()
        _audit("callback.rescheduled", caller, request, language, now)
        announce_call(CallOccasion.CHANGED, request, now)
        return request


def withdraw_callback(*, caller: Caller, callback_id: int, language: str, now: datetime) -> CallbackRequest:
    """The customer needs no call any more; repeating it, or withdrawing a closed request, changes nothing.

    Raises NotFound, NotPermitted.
    """
    with one_transaction():
        request, _ = _locked(caller, callback_id)
        if _close(request, CallbackStatus.WITHDRAWN, CloseReason.WITHDRAWN_BY_CUSTOMER, now):
            _audit("callback.withdrawn", caller, request, language, now)
            announce_call(CallOccasion.WITHDRAWN, request, now)
        request.refresh_from_db()
        return request


def claim_callback(*, agent: User, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Take a request for 20 minutes; False when somebody else has it or it is closed. Exactly one wins.

    A conditional UPDATE decides, so that it holds on every database.
    """
    with one_transaction():
        claimable = Q(claimed_by=None) | Q(claim_expires_at__lte=now) | Q(claimed_by=agent)
        found = CallbackRequest.objects.filter(claimable, pk=callback_id, status__in=OPEN_STATUSES)
        won = found.update(status=CallbackStatus.CLAIMED, claimed_by=agent, claim_expires_at=now + CLAIM_LEASE)
        if won:
            _audit("callback.claimed", caller, CallbackRequest.objects.get(pk=callback_id), language, now)
        return bool(won)


def due_now(now: datetime) -> QuerySet[CallbackRequest]:
    """Open requests that somebody should call now and that no agent holds, in the order of the queue."""
    free = Q(claimed_by=None) | Q(claim_expires_at__lte=now)
    due = CallbackRequest.objects.filter(free, closed_at=None, status__in=OPEN_STATUSES, next_attempt_at__lte=now)
    # PostgreSQL reads the index in order only if the column that is NULL everywhere is named too.
    return due.order_by("closed_at", "due_at", "requested_at", "pk")


def claim_next(*, agent: User, caller: Caller, language: str, now: datetime) -> CallbackRequest | None:
    """Take the request that should be called now: overdue first, then due, then the one that waits longest.

    Theirs first, if a customer asked for this agent. None when nothing is due or others were faster to all of it.
    """
    due = due_now(now).values_list("pk", flat=True)
    for _attempt in range(_TRIES):
        pk = due.filter(preferred_agent=agent).first() or due.first()
        if pk is None:
            return None
        if claim_callback(agent=agent, caller=caller, callback_id=pk, language=language, now=now):
            return CallbackRequest.objects.get(pk=pk)
    return None


def log_attempt(
    *,
    agent: User,
    caller: Caller,
    callback_id: int,
    outcome: Outcome,
    note: str,
    later: datetime | None,
    other_language: str,
    language: str,
    now: datetime,
) -> CallbackRequest | None:
    """Write down what came of the call and give the request back for the next step; None without a live claim.

    ``later`` goes with CALL_LATER, ``other_language`` with LANGUAGE_NEEDED. requestedAt and the credit stay.
    Raises InputInvalid for a slot that is not ahead, a language that is not spoken, a note that is too long.
    """
    note = clean_text(note, "note", most=_LONGEST_NOTE)
    if outcome is Outcome.CALL_LATER and (later is None or not now < later <= now + HORIZON):
        raise InputInvalid("later", rule="required")
    with one_transaction():
        request = _claimed(agent, callback_id, now)
        if request is None:
            return None
        step = what_next(outcome, desk_hours(desk()), now, request.attempts, later)
        if outcome is Outcome.LANGUAGE_NEEDED:
            request.language = _language(other_language)
        _write_attempt(request, agent, outcome, step, note, now)
        _give_back(request, outcome, step, agent)
        if outcome is Outcome.ASKED_NOT_TO_CALL:
            _never_call(request, now)
        request.save()
        _audit(f"callback.{outcome.value.lower()}", caller, request, language, now)
        if occasion := _occasion(outcome, step):
            announce_call(occasion, request, now)
        return request


def erase_contact(*, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Forget name, number and notes of a closed request; False for an open one or one that was erased."""
    with one_transaction():
        closed = CallbackRequest.objects.filter(pk=callback_id, erased_at=None).exclude(status__in=OPEN_STATUSES)
        erased = closed.update(contact_name="", phone="", phone_extension="", phone_as_typed="", note="", erased_at=now)
        if erased:
            CallbackAttempt.objects.filter(request=callback_id).update(note="")
            _erase_trail(callback_id)
            _audit("callback.erased", caller, CallbackRequest.objects.get(pk=callback_id), language, now)
        return bool(erased)


def erase_old_contacts(now: datetime) -> int:
    """Forget the contacts of requests that closed long enough ago."""
    limit = now - timedelta(days=desk().keep_contact_days)
    old = CallbackRequest.objects.filter(closed_at__lte=limit, erased_at=None).values_list("pk", flat=True)[:500]
    return sum(erase_contact(caller=SYSTEM, callback_id=pk, language="en", now=now) for pk in list(old))


def release_callback(*, agent: User, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Give a claimed request back to the queue; False when this agent does not hold it."""
    with one_transaction():
        held = CallbackRequest.objects.filter(pk=callback_id, status=CallbackStatus.CLAIMED, claimed_by=agent)
        request = held.first()
        if request is None:
            return False
        back = CallbackStatus.SCHEDULED if request.window_start else CallbackStatus.NEW
        released = held.update(status=back, claimed_by=None, claim_expires_at=None)
        if released:
            _write_attempt(request, agent, Outcome.RELEASED, Next(request.next_attempt_at), "", now)
            _audit("callback.released", caller, request, language, now)
        return bool(released)


def close_callback(
    *, agent: User, caller: Caller, callback_id: int, disposition: CloseReason, language: str, now: datetime
) -> bool:
    """Close a request that this agent has claimed, with what came of it; False when the agent does not hold it.

    Raises InputInvalid for a reason that is not an agent's to give.
    """
    if disposition not in DISPOSITIONS:
        raise InputInvalid("disposition", rule="choice")
    with one_transaction():
        request = _claimed(agent, callback_id, now)
        if request is None or not _close(request, CallbackStatus.DONE, disposition, now):
            return False
        _audit("callback.closed", caller, request, language, now)
        announce_call(CallOccasion.DONE, request, now)
        return True


def close_open(requests: QuerySet[CallbackRequest], status: CallbackStatus, reason: CloseReason, now: datetime) -> bool:
    """Close those of ``requests`` that are open; False when none is."""
    return bool(
        requests.filter(status__in=OPEN_STATUSES).update(
            status=status,
            close_reason=reason,
            closed_at=now,
            next_attempt_at=None,
            claimed_by=None,
            claim_expires_at=None,
        )
    )


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


def _locked(caller: Caller, callback_id: int) -> tuple[CallbackRequest, Subscription]:
    found = visible(CallbackRequest.objects.all(), caller).filter(pk=callback_id).first()
    if found is None:
        raise NotFound("callbackId")
    subscription = locked_subscription(caller, found.subscription_id, Scope.CALLBACK, "callbackId")
    return CallbackRequest.objects.get(pk=callback_id), subscription


def _locked_desk() -> CallbackDesk:
    """The desk's settings, locked: two customers choosing the last place of a window take turns."""
    return CallbackDesk.objects.select_for_update().get(pk=1)


def _fill(request: CallbackRequest, subscription: Subscription, wish: Wish, now: datetime) -> None:
    """Check the whole wish before anything is written."""
    request.contact_name = clean_text(wish.contact_name, "contactName", most=_LONGEST_NAME, required=True)
    request.note = clean_text(wish.note, "note", most=_LONGEST_NOTE)
    request.language = _language(wish.language)
    request.time_zone = read_time_zone(wish.time_zone or subscription.tenant.time_zone, "timeZone").key
    settings = _locked_desk()
    _set_phone(request, _phone(wish.phone, subscription, settings), wish.phone, now)
    _set_window(request, settings, wish.window_start, now)


def _claimed(agent: User, callback_id: int, now: datetime) -> CallbackRequest | None:
    live = CallbackRequest.objects.filter(
        pk=callback_id, status=CallbackStatus.CLAIMED, claimed_by=agent, claim_expires_at__gt=now
    )
    return live.select_for_update(of=("self",)).first()


def _write_attempt(
    request: CallbackRequest, agent: User, outcome: Outcome, step: Next, note: str, now: datetime
) -> None:
    CallbackAttempt.objects.create(
        request=request,
        number=request.log.count() + 1,
        agent=agent,
        ended_at=now,
        outcome=outcome.value,
        note=note,
        next_attempt_at=step.at,
        counts=step.counts,
    )


def _give_back(request: CallbackRequest, outcome: Outcome, step: Next, agent: User) -> None:
    request.attempts += step.counts
    request.last_outcome = outcome.value
    request.next_attempt_at = step.at
    request.claimed_by = request.claim_expires_at = None
    request.preferred_agent = agent if outcome is Outcome.CALL_LATER else None
    waiting = CallbackStatus.SCHEDULED if outcome is Outcome.CALL_LATER or request.window_start else CallbackStatus.NEW
    request.status = (CallbackStatus.UNREACHABLE if step.unreachable else waiting).value


def _occasion(outcome: Outcome, step: Next) -> CallOccasion | None:
    """What the customer hears of an attempt."""
    if step.unreachable:
        return CallOccasion.UNREACHABLE
    return {
        Outcome.WRONG_NUMBER: CallOccasion.WRONG_NUMBER,
        Outcome.ASKED_NOT_TO_CALL: CallOccasion.NOT_CALLED,
    }.get(outcome)


def _never_call(request: CallbackRequest, now: datetime) -> None:
    digest = _opt_out_digest(request.tenant_id, request.phone)
    OptOut.objects.get_or_create(digest=digest, defaults={"asked_at": now})
    request.status, request.close_reason = CallbackStatus.DO_NOT_CALL.value, CloseReason.ASKED_NOT_TO_CALL.value
    request.closed_at, request.next_attempt_at = now, None


def _opt_out_digest(tenant_id: int, phone: str) -> str:
    return salted_hmac("wayout.opt_out", f"{tenant_id} {phone}", algorithm="sha256").hexdigest()


def _erase_trail(callback_id: int) -> None:
    """The chain covers a keyed hash of what is erased, so it still holds."""
    AuditPersonalData.objects.filter(event__subject=f"CallbackRequest:{callback_id}").delete()


def _language(code: str) -> str:
    try:
        return get_supported_language_variant(code)
    except LookupError:
        raise InputInvalid("language", rule="choice") from None


def _phone(text: str, subscription: Subscription, settings: CallbackDesk) -> Phone:
    typed = clean_text(text, "phone", most=_LONGEST_PHONE, required=True)
    return read_phone(typed, subscription.tenant.phone_region, settings.regions)


def _set_phone(request: CallbackRequest, phone: Phone, as_typed: str, now: datetime) -> None:
    """Take the number, unless it was given for three other requests within a day."""
    if request.pk and request.phone == phone.e164 and request.phone_extension == phone.extension:
        return
    if OptOut.objects.filter(digest=_opt_out_digest(request.tenant_id, phone.e164)).exists():
        raise DoNotCall("phone")
    same = CallbackRequest.objects.filter(phone=phone.e164, phone_given_at__gt=now - _DAY).exclude(pk=request.pk)
    if same.count() >= _MOST_A_DAY:
        raise RateLimited("phone", limit=_MOST_A_DAY)
    request.phone, request.phone_extension = phone.e164, phone.extension
    request.phone_is_valid, request.phone_as_typed, request.phone_given_at = phone.is_valid, as_typed.strip(), now


def _set_window(request: CallbackRequest, settings: CallbackDesk, start: datetime | None, now: datetime) -> None:
    """Take a window that is open now (or was this request's already), or the first moment the desk is open."""
    hours = desk_hours(settings)
    if start is not None and start != request.window_start:
        zone = ZoneInfo(request.time_zone)
        if start not in open_windows(zone, now, HORIZON.days, but=request.pk or 0):
            raise WindowNotAvailable("windowId")
    request.window_start = start
    request.window_end = window_end(start) if start else None
    request.credit_from = credit_from(hours, request.requested_at, start)
    request.due_at = start or next_open(hours, request.requested_at)
    request.next_attempt_at = start or next_open(hours, now)
    if request.status != CallbackStatus.CLAIMED:
        request.status = (CallbackStatus.SCHEDULED if start else CallbackStatus.NEW).value


def _close(request: CallbackRequest, status: CallbackStatus, reason: CloseReason, now: datetime) -> bool:
    return close_open(CallbackRequest.objects.filter(pk=request.pk), status, reason, now)


def _audit(action: str, caller: Caller, request: CallbackRequest, language: str, now: datetime) -> None:
    record(
        tenant_id=request.tenant_id,
        at=now,
        action=action,
        subject=f"CallbackRequest:{request.pk}",
        caller=caller,
        language=language,
        data={
            "reference": request.reference,
            "subscription": request.subscription_id,
            "window_start": request.window_start,
            "credit_from": request.credit_from,
        },
        personal={"name": caller.name, "contact": request.contact_name, "phone": request.phone, "note": request.note},
    )
