"""The desk's side of a call: claim, dial, note what came of it, close, hand over, forget.

``seen`` is the position on the audit trail up to which the agent's page showed the request: when it goes on, the
agent decides on something else than they saw, and ChangedMeanwhile is raised.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from subscriptions.attempts import LOGGED, Next, Outcome, what_next
from subscriptions.errors import InputInvalid
from subscriptions.models import CallbackAttempt, CallbackRequest, OptOut
from subscriptions.models.callbacks import DISPOSITIONS, OPEN_STATUSES, CallbackStatus, CloseReason
from subscriptions.selectors.callbacks import desk, desk_hours
from subscriptions.services.announcements import CallOccasion, announce_call
from subscriptions.services.callbacks import (
    CLAIM_LEASE,
    LONGEST_NOTE,
    audit_call,
    close_request,
    note_reached,
    opt_out_digest,
    read_language,
    require_seen,
    subject_of,
    write_attempt,
)
from subscriptions.services.events import tell_callback
from subscriptions.services.idempotency import one_transaction
from subscriptions.services.inputs import clean_text
from subscriptions.windows import HORIZON
from tenants.callers import Caller
from tenants.models import AuditPersonalData, User
from tenants.people import SYSTEM
from webhooks.models import EventType

# "Claim next" tries the first of the queue one after the other, and looks again when others were faster to all.
_AT_ONCE, _ROUNDS = 10, 50


def claim_callback(*, agent: User, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Take a request for 20 minutes; False when somebody else has it or it is closed. Exactly one wins.

    A conditional UPDATE decides, so that it holds on every database.
    """
    with one_transaction():
        found = CallbackRequest.objects.open().filter(_not_anothers(agent, now), pk=callback_id)
        won = found.update(status=CallbackStatus.CLAIMED, claimed_by=agent, claim_expires_at=now + CLAIM_LEASE)
        if won:
            audit_call("callback.claimed", caller, CallbackRequest.objects.get(pk=callback_id), language, now)
        return bool(won)


def reassign_callback(*, to: User, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Hand an open request to an agent, whoever has it; False when it is closed or theirs already.

    Their claim runs for 20 minutes like any other; after that it is offered to them first.
    """
    with one_transaction():
        theirs = Q(claimed_by=to, claim_expires_at__gt=now)
        found = CallbackRequest.objects.open().filter(~theirs, pk=callback_id)
        moved = found.update(
            status=CallbackStatus.CLAIMED, claimed_by=to, claim_expires_at=now + CLAIM_LEASE, preferred_agent=to
        )
        if moved:
            audit_call("callback.reassigned", caller, CallbackRequest.objects.get(pk=callback_id), language, now)
        return bool(moved)


def due_now(now: datetime) -> QuerySet[CallbackRequest]:
    """Open requests that somebody should call now and that no agent holds, in the order of the queue."""
    free = Q(claimed_by=None) | Q(claim_expires_at__lte=now)
    due = CallbackRequest.objects.open().filter(free, next_attempt_at__lte=now)
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
    Raises ChangedMeanwhile, InputInvalid for a slot that is not ahead, a language that is not spoken, a note that is too long.
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
        step = what_next(outcome, desk_hours(desk()), now, request.attempts, later)
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
        return request


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
    supervising: bool = False,
) -> bool:
    """Close a request that this agent has claimed, with what came of it; False when the agent does not hold it.

    ``supervising`` closes any that is open and that no other agent holds.
    Raises ChangedMeanwhile, InputInvalid for a reason that is not an agent's to give.
    """
    if disposition not in DISPOSITIONS:
        raise InputInvalid("disposition", rule="choice")
    with one_transaction():
        request = _free(agent, callback_id, now) if supervising else _claimed(agent, callback_id, now)
        if request is None:
            return False
        require_seen(request, seen)
        if request.is_claimed(now):
            note_reached(request, now)
        close_request(request, CallbackStatus.DONE, disposition, now)
        audit_call("callback.closed", caller, request, language, now)
        announce_call(CallOccasion.DONE, request, now)
        return True


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
    old = CallbackRequest.objects.filter(closed_at__lte=limit, erased_at=None).values_list("pk", flat=True)[:500]
    return sum(erase_contact(caller=SYSTEM, callback_id=pk, language="en", now=now) for pk in list(old))


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
