"""Who calls: one agent at a time has a request, for 20 minutes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Case, F, Q, When

from desk.attempts import CallOutcome, Next
from desk.codes import CallbackStatus
from desk.models import CallbackRequest
from desk.selectors import due_now
from desk.services.cases import CLAIM_LEASE, audit_call, close_unwanted, write_attempt
from desk.services.contacts import is_opted_out
from subscriptions.idempotency import one_transaction
from tenants.actions import Action
from tenants.callers import Caller
from tenants.models import User

# "Claim next" tries the first of the queue one after the other, and looks again when others were faster to all.
_MAX_CLAIMS, _ROUNDS = 10, 50


def claim_callback(*, agent: User, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Take a request for 20 minutes; False when somebody else has it, it is closed, or its number asked not to be called.

    Exactly one wins: a conditional UPDATE decides, so that it holds on every database.
    """
    with one_transaction():
        found = CallbackRequest.objects.open().filter(not_anothers(agent, now), pk=callback_id)
        won = found.update(**_taken_by(agent, now))
        return bool(won) and _hand_out(Action.CALLBACK_CLAIMED, caller, callback_id, language, now)


def claim_next(*, agent: User, caller: Caller, language: str, now: datetime) -> CallbackRequest | None:
    """Take the request that should be called now: overdue first, then due, then the one that waits longest.

    Theirs first, if a customer asked for this agent. None when nothing is due or others were faster to all of it.
    """
    due = due_now(now).values_list("pk", flat=True)
    for _round in range(_ROUNDS):
        first = [*due.filter(preferred_agent=agent)[:_MAX_CLAIMS], *due[:_MAX_CLAIMS]]
        if not first:
            return None
        for pk in first:
            if claim_callback(agent=agent, caller=caller, callback_id=pk, language=language, now=now):
                return CallbackRequest.objects.get(pk=pk)
    return None


def reassign_callback(*, to: User, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Hand an open request to an agent, whoever has it; False when it is closed, theirs already, or not to be called.

    Their claim runs for 20 minutes like any other; after that it is offered to them first.
    """
    with one_transaction():
        theirs = Q(claimed_by=to, claim_expires_at__gt=now)
        found = CallbackRequest.objects.open().filter(~theirs, pk=callback_id)
        moved = found.update(**_taken_by(to, now), preferred_agent=to)
        return bool(moved) and _hand_out(Action.CALLBACK_REASSIGNED, caller, callback_id, language, now)


def release_callback(*, agent: User, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Give a claimed request back to the queue; False when this agent does not hold it."""
    with one_transaction():
        held = CallbackRequest.objects.filter(pk=callback_id, status=CallbackStatus.CLAIMED, claimed_by=agent)
        request = held.first()
        if request is None:
            return False
        released = held.update(status=request.waited_as, claimed_by=None, claim_expires_at=None)
        if released:
            write_attempt(request, agent.pk, CallOutcome.RELEASED, Next(request.next_attempt_at), "", now)
            audit_call(Action.CALLBACK_RELEASED, caller, request, language, now)
        return bool(released)


def free_for(agent: User, callback_id: int, now: datetime) -> CallbackRequest | None:
    """An open request that no other agent holds, locked."""
    found = CallbackRequest.objects.open().filter(not_anothers(agent, now), pk=callback_id)
    return found.select_for_update(of=("self",)).first()


def claimed_by(agent: User, callback_id: int, now: datetime) -> CallbackRequest | None:
    """The request that this agent holds now, locked."""
    live = CallbackRequest.objects.filter(
        pk=callback_id, status=CallbackStatus.CLAIMED, claimed_by=agent, claim_expires_at__gt=now
    )
    return live.select_for_update(of=("self",)).first()


def not_anothers(agent: User, now: datetime) -> Q:
    """Free, or with this agent already."""
    return Q(claimed_by=None) | Q(claim_expires_at__lte=now) | Q(claimed_by=agent)


def _taken_by(agent: User, now: datetime) -> dict[str, Any]:
    """A claim. One that takes the place of another, or of one that ran out, remembers what was before the first."""
    before = Case(When(status=CallbackStatus.CLAIMED, then=F("waited_as")), default=F("status"))
    claimed = CallbackStatus.CLAIMED
    return {"status": claimed, "waited_as": before, "claimed_by": agent, "claim_expires_at": now + CLAIM_LEASE}


def _hand_out(action: Action, caller: Caller, callback_id: int, language: str, now: datetime) -> bool:
    """Note who has a request now; one whose number has asked not to be called leaves the queue instead: False.

    Such a one is left when it was asked for in the very moment in which the number was put on the list.
    """
    request = CallbackRequest.objects.get(pk=callback_id)
    if is_opted_out(request.tenant_id, request.phone):
        close_unwanted(request, caller, language, now)
        return False
    audit_call(action, caller, request, language, now)
    return True
