"""The desk's side of a call: claim, dial, note what came of it, close, hand over, forget.

``seen`` is the position on the audit trail up to which the agent's page showed the request: when it goes on, the
agent decides on something else than they saw, and ChangedMeanwhile is raised.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, F, Q, QuerySet, When

from desk.attempts import LOGGED, Next, Outcome, what_next
from desk.events import tell_callback
from desk.mail import CallOccasion, announce_call
from desk.models import (
    DISPOSITIONS,
    OPEN_STATUSES,
    REOPENABLE,
    CallbackAttempt,
    CallbackDesk,
    CallbackRequest,
    CallbackStatus,
    CloseReason,
    OptOut,
)
from desk.selectors import desk, desk_hours
from desk.services.callbacks import (
    CLAIM_LEASE,
    LONGEST_NAME,
    LONGEST_NOTE,
    audit_call,
    close_request,
    given_phone,
    is_opted_out,
    locked_desk,
    locked_request,
    note_reached,
    opt_out_digest,
    read_language,
    require_seen,
    set_phone,
    set_window,
    subject_of,
    write_attempt,
)
from desk.windows import HORIZON, is_day, zones_at_night
from outbox.each import each_by_itself
from subscriptions.errors import CallbackOpen, DoNotCall, InputInvalid, NotPermitted, RouteNotAvailable
from subscriptions.idempotency import one_transaction
from subscriptions.inputs import clean_text
from subscriptions.models import Subscription
from subscriptions.policy.decision import Route
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.callers import Caller
from tenants.models import AuditPersonalData, User
from tenants.people import SYSTEM
from webhooks.models import EventType

# "Claim next" tries the first of the queue one after the other, and looks again when others were faster to all.
_AT_ONCE, _ROUNDS = 10, 50


def claim_callback(*, agent: User, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Take a request for 20 minutes; False when somebody else has it, it is closed, or its number asked not to be called.

    Exactly one wins: a conditional UPDATE decides, so that it holds on every database.
    """
    with one_transaction():
        found = CallbackRequest.objects.open().filter(_not_anothers(agent, now), pk=callback_id)
        won = found.update(**_taken_by(agent, now))
        return bool(won) and _hand_out("callback.claimed", caller, callback_id, language, now)


def reassign_callback(*, to: User, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Hand an open request to an agent, whoever has it; False when it is closed, theirs already, or not to be called.

    Their claim runs for 20 minutes like any other; after that it is offered to them first.
    """
    with one_transaction():
        theirs = Q(claimed_by=to, claim_expires_at__gt=now)
        found = CallbackRequest.objects.open().filter(~theirs, pk=callback_id)
        moved = found.update(**_taken_by(to, now), preferred_agent=to)
        return bool(moved) and _hand_out("callback.reassigned", caller, callback_id, language, now)


def to_be_called(now: datetime) -> Q:
    """Those whose time has come and for whom it is day."""
    return Q(next_attempt_at__lte=now) & ~Q(time_zone__in=zones_at_night(now))


def due_now(now: datetime) -> QuerySet[CallbackRequest]:
    """Open requests that somebody should call now and that no agent holds, in the order of the queue."""
    free = Q(claimed_by=None) | Q(claim_expires_at__lte=now)
    due = CallbackRequest.objects.open().filter(free, to_be_called(now))
    # PostgreSQL reads the index in order only if the column that is NULL everywhere is named too.
    return due.order_by("closed_at", "due_at", "requested_at", "pk")


def claim_next(*, agent: User, caller: Caller, language: str, now: datetime) -> CallbackRequest | None:
    """Take the request that should be called now: overdue first, then due, then the one that waits longest.

    Theirs first, if a customer asked for this agent. None when nothing is due or others were faster to all of it.
    """
    due = due_now(now).values_list("pk", flat=True)
    for _round in range(_ROUNDS):
        first = [*due.filter(preferred_agent=agent)[:_AT_ONCE], *due[:_AT_ONCE]]
        if not first:
            return None
        for pk in first:
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
    seen: int | None = None,
) -> CallbackRequest | None:
    """Write down what came of the call and give the request back for the next step; None without a live claim.

    ``later`` goes with CALL_LATER, ``other_language`` with LANGUAGE_NEEDED. requestedAt and the credit stay.
    Raises ChangedMeanwhile, InputInvalid for a slot that is not ahead or at night for the customer, a language that is
    not spoken, a note that is too long.
    """
    note = clean_text(note, "note", most=LONGEST_NOTE)
    if outcome not in LOGGED:
        raise InputInvalid("outcome", rule="choice")
    if outcome is Outcome.CALL_LATER and (later is None or not now < later <= now + HORIZON):
        raise InputInvalid("later", rule="slot")
    with one_transaction():
        request = _claimed(agent, callback_id, now)
        if request is None:
            return None
        require_seen(request, seen)
        zone = ZoneInfo(request.time_zone)
        if outcome is Outcome.CALL_LATER and later and not is_day(zone, later):
            raise InputInvalid("later", rule="day", time=f"{later.astimezone(zone):%H:%M}")
        step = what_next(outcome, desk_hours(desk()), zone, now, request.attempts, later)
        if outcome is Outcome.LANGUAGE_NEEDED:
            request.language = read_language(other_language)
        write_attempt(request, agent.pk, outcome, step, note, now)
        _give_back(request, outcome, step, agent)
        if outcome is Outcome.ASKED_NOT_TO_CALL:
            _never_call(request, now)
        request.save()
        audit_call(f"callback.{outcome.value.lower()}", caller, request, language, now)
        if request.closed_at:
            tell_callback(EventType.CALLBACK_CLOSED, request, now)
        if occasion := _occasion(outcome, step):
            announce_call(occasion, request, now)
    if outcome is Outcome.ASKED_NOT_TO_CALL:
        _close_others_with(request, caller, language, now)
    return request


def release_callback(*, agent: User, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Give a claimed request back to the queue; False when this agent does not hold it."""
    with one_transaction():
        held = CallbackRequest.objects.filter(pk=callback_id, status=CallbackStatus.CLAIMED, claimed_by=agent)
        request = held.first()
        if request is None:
            return False
        released = held.update(status=request.waited_as, claimed_by=None, claim_expires_at=None)
        if released:
            write_attempt(request, agent.pk, Outcome.RELEASED, Next(request.next_attempt_at), "", now)
            audit_call("callback.released", caller, request, language, now)
        return bool(released)


def close_callback(
    *,
    agent: User,
    caller: Caller,
    callback_id: int,
    disposition: CloseReason,
    language: str,
    now: datetime,
    seen: int | None = None,
) -> bool:
    """Close a request that this agent has claimed, with what came of the call; False when the agent does not hold it.

    Raises ChangedMeanwhile, InputInvalid for a reason that is not an agent's to give: "canceled by agent" is what a
    cancellation for the customer leaves behind.
    """
    _require_disposition(disposition)
    with one_transaction():
        request = _claimed(agent, callback_id, now)
        if request is None:
            return False
        require_seen(request, seen)
        note_reached(request, now)
        close_request(request, CallbackStatus.DONE, disposition, now)
        audit_call("callback.closed", caller, request, language, now)
        announce_call(CallOccasion.DONE, request, now)
        return True


def close_without_call(
    *,
    agent: User,
    caller: Caller,
    callback_id: int,
    disposition: CloseReason,
    tell: bool,
    supervising: bool,
    language: str,
    now: datetime,
    seen: int | None = None,
) -> bool:
    """Close a request about which nobody spoke with the customer; False when the agent does not hold it.

    ``tell`` the customer by mail that it is closed, or not. ``supervising`` closes any that is open and that no other
    agent holds. Raises ChangedMeanwhile, InputInvalid as close_callback does.
    """
    _require_disposition(disposition)
    with one_transaction():
        request = _free(agent, callback_id, now) if supervising else _claimed(agent, callback_id, now)
        if request is None:
            return False
        require_seen(request, seen)
        close_request(request, CallbackStatus.DONE, disposition, now)
        audit_call("callback.closed_without_call", caller, request, language, now)
        if tell:
            announce_call(CallOccasion.CLOSED, request, now)
        return True


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
    reason = clean_text(reason, "reason", most=LONGEST_NOTE, required=True)
    contact_name = clean_text(contact_name, "contact_name", most=LONGEST_NAME)
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
            _lift(request.tenant_id, number.e164, may_lift=may_lift)
            set_phone(request, number, phone, now)
        else:
            _lift(request.tenant_id, request.phone, may_lift=may_lift)
        request.contact_name = request.contact_name or contact_name
        _begin_anew(request, settings, now)
        request.save()
        audit_call("callback.reopened", caller, request, language, now, reason=reason)
        announce_call(CallOccasion.REOPENED, request, now)
        tell_callback(EventType.CALLBACK_REQUESTED, request, now)
        return request


def erase_contact(*, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Forget name, number and notes of a closed request; False for an open one or one that was erased."""
    with one_transaction():
        closed = CallbackRequest.objects.filter(pk=callback_id, erased_at=None).exclude(status__in=OPEN_STATUSES)
        erased = closed.update(contact_name="", phone="", phone_extension="", phone_as_typed="", note="", erased_at=now)
        if erased:
            CallbackAttempt.objects.filter(request=callback_id).update(note="")
            _erase_trail(callback_id)
            audit_call("callback.erased", caller, CallbackRequest.objects.get(pk=callback_id), language, now)
        return bool(erased)


def erase_old_contacts(now: datetime) -> int:
    """Forget the contacts of requests that closed long enough ago."""
    limit = now - timedelta(days=desk().keep_contact_days)
    old = CallbackRequest.objects.filter(closed_at__lte=limit, erased_at=None).order_by("closed_at", "pk")[:500]

    def erase(request: CallbackRequest) -> bool:
        return erase_contact(caller=SYSTEM, callback_id=request.pk, language="en", now=now)

    return each_by_itself(old, erase, work="erase_old_contacts", now=now)


def _require_disposition(disposition: CloseReason) -> None:
    if disposition not in DISPOSITIONS:
        raise InputInvalid("disposition", rule="choice")


def _require_over(request: CallbackRequest) -> None:
    if waiting := open_instead(request):
        raise CallbackOpen(callback=waiting.pk, reference=waiting.reference)


def _require_wanted(caller: Caller, subscription: Subscription, now: datetime) -> None:
    """There is something to call about: fewer licenses than when it was asked for are no reason not to."""
    decision = SubscriptionBatch.of_known(caller, subscription.pk, now).decisions[subscription.pk]
    shown = decision.options[0]
    if shown.route not in (Route.CANCEL_ONLINE, Route.REMOVE_USERS, Route.REQUEST_CALLBACK):
        raise RouteNotAvailable(reason=shown.reason)


def _lift(tenant_id: int, phone: str, *, may_lift: bool) -> None:
    """Take a number off the list. Raises DoNotCall where it is on it and may not come off."""
    if may_lift:
        OptOut.objects.filter(digest=opt_out_digest(tenant_id, phone)).delete()
    elif is_opted_out(tenant_id, phone):
        raise DoNotCall("phone")


def _begin_anew(request: CallbackRequest, settings: CallbackDesk, now: datetime) -> None:
    credit, request.status = request.credit_from, CallbackStatus.NEW.value
    set_window(request, settings, None, now)
    request.credit_from = credit
    request.attempts, request.close_reason = 0, ""
    request.cancellation = None
    request.closed_at = request.erased_at = request.claimed_by = request.claim_expires_at = None


def _taken_by(agent: User, now: datetime) -> dict[str, Any]:
    """A claim. One that takes the place of another, or of one that ran out, remembers what was before the first."""
    before = Case(When(status=CallbackStatus.CLAIMED, then=F("waited_as")), default=F("status"))
    claimed = CallbackStatus.CLAIMED
    return {"status": claimed, "waited_as": before, "claimed_by": agent, "claim_expires_at": now + CLAIM_LEASE}


def _hand_out(action: str, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Note who has a request now; one whose number has asked not to be called leaves the queue instead: False.

    Such a one is left when it was asked for in the very moment in which the number was put on the list.
    """
    request = CallbackRequest.objects.get(pk=callback_id)
    if is_opted_out(request.tenant_id, request.phone):
        _close_unwanted(request, caller, language, now)
        return False
    audit_call(action, caller, request, language, now)
    return True


def _close_others_with(request: CallbackRequest, caller: Caller, language: str, now: datetime) -> None:
    """Let nobody call a number that has just asked not to be called, about whatever subscription of the tenant.

    One transaction each: together they would wait for each other's locks. What is left is closed by who claims it.
    """
    same = CallbackRequest.objects.open().filter(tenant=request.tenant_id, phone=request.phone)
    for other in same.order_by("pk"):
        with one_transaction():
            _close_unwanted(other, caller, language, now)


def _close_unwanted(request: CallbackRequest, caller: Caller, language: str, now: datetime) -> None:
    if close_request(request, CallbackStatus.DO_NOT_CALL, CloseReason.ASKED_NOT_TO_CALL, now):
        audit_call("callback.asked_not_to_call", caller, request, language, now)
        announce_call(CallOccasion.NOT_CALLED, request, now)


def _not_anothers(agent: User, now: datetime) -> Q:
    """Free, or with this agent already."""
    return Q(claimed_by=None) | Q(claim_expires_at__lte=now) | Q(claimed_by=agent)


def _free(agent: User, callback_id: int, now: datetime) -> CallbackRequest | None:
    found = CallbackRequest.objects.open().filter(_not_anothers(agent, now), pk=callback_id)
    return found.select_for_update(of=("self",)).first()


def _claimed(agent: User, callback_id: int, now: datetime) -> CallbackRequest | None:
    live = CallbackRequest.objects.filter(
        pk=callback_id, status=CallbackStatus.CLAIMED, claimed_by=agent, claim_expires_at__gt=now
    )
    return live.select_for_update(of=("self",)).first()


def _give_back(request: CallbackRequest, outcome: Outcome, step: Next, agent: User) -> None:
    request.attempts += step.counts
    request.last_outcome = outcome.value
    request.next_attempt_at = step.at
    request.claimed_by = request.claim_expires_at = None
    request.preferred_agent = agent if outcome is Outcome.CALL_LATER else None
    if outcome is Outcome.CALL_LATER and step.at:
        request.due_at = step.at
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
    digest = opt_out_digest(request.tenant_id, request.phone)
    OptOut.objects.get_or_create(digest=digest, defaults={"asked_at": now})
    request.status, request.close_reason = CallbackStatus.DO_NOT_CALL.value, CloseReason.ASKED_NOT_TO_CALL.value
    request.closed_at, request.next_attempt_at = now, None


def _erase_trail(callback_id: int) -> None:
    """The chain covers a keyed hash of what is erased, so it still holds."""
    AuditPersonalData.objects.filter(event__subject=subject_of(callback_id)).delete()
