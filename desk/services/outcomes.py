"""What came of a call: logged, or the last one.

``seen`` is the position on the audit trail up to which the agent's page showed the request: when it goes on, the
agent decides on something else than they saw, and ChangedMeanwhile is raised.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from common.errors import ChoiceInvalid
from desk.attempts import CallOutcome, Next, NextCall, what_next
from desk.codes import CallbackStatus, CallOccasion, CloseReason
from desk.errors import NightThere, TimeNotAhead
from desk.mail import queue_call_mail
from desk.models import CallbackRequest
from desk.selectors import desk, desk_hours
from desk.services.cases import audit_call, close_request, close_unwanted, note_reached, require_seen, write_attempt
from desk.services.claims import claimed_by, free_for
from desk.services.contacts import LONGEST_NOTE, never_call, read_language
from desk.windows import HORIZON, is_day
from subscriptions.idempotency import one_transaction
from subscriptions.inputs import clean_text
from tenants.actions import Action
from tenants.callers import Caller
from tenants.models import User


def log_attempt(
    *,
    agent: User,
    caller: Caller,
    callback_id: int,
    outcome: CallOutcome,
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
    note = clean_text(note, "note", limit=LONGEST_NOTE)
    follows = outcome.follows
    if follows.action is None:
        raise ChoiceInvalid("outcome")
    with one_transaction():
        request = claimed_by(agent, callback_id, now)
        if request is None:
            return None
        require_seen(request, seen)
        zone = ZoneInfo(request.time_zone)
        if follows.next_call is NextCall.AT_SLOT:
            _require_slot(later, zone, now)
        step = what_next(outcome, desk_hours(desk()), zone, now, request.attempts, later)
        if follows.asks_language:
            request.language = read_language(other_language)
        write_attempt(request, agent.pk, outcome, step, note, now)
        _give_back(request, outcome, step, agent)
        if follows.opts_out:
            never_call(request, now)
        request.save()
        audit_call(follows.action, caller, request, language, now)
        if occasion := CallOccasion.UNREACHABLE if step.unreachable else follows.mail:
            queue_call_mail(occasion, request, now)
    if follows.opts_out:
        _close_others_with(request, caller, language, now)
    return request


def _require_slot(later: datetime | None, zone: ZoneInfo, now: datetime) -> None:
    """A time that is ahead, and day for the customer."""
    if later is None or not now < later <= now + HORIZON:
        raise TimeNotAhead("later")
    if not is_day(zone, later):
        raise NightThere("later", time=f"{later.astimezone(zone):%H:%M}")


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
        request = claimed_by(agent, callback_id, now)
        if request is None:
            return False
        require_seen(request, seen)
        note_reached(request, now)
        close_request(request, disposition, now)
        audit_call(Action.CALLBACK_CLOSED, caller, request, language, now)
        queue_call_mail(disposition.mail, request, now)
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
        request = free_for(agent, callback_id, now) if supervising else claimed_by(agent, callback_id, now)
        if request is None:
            return False
        require_seen(request, seen)
        close_request(request, disposition, now)
        audit_call(Action.CALLBACK_CLOSED_WITHOUT_CALL, caller, request, language, now)
        if tell:
            queue_call_mail(CallOccasion.CLOSED, request, now)
        return True


def _require_disposition(disposition: CloseReason) -> None:
    if not disposition.by_agents:
        raise ChoiceInvalid("disposition")


def _give_back(request: CallbackRequest, outcome: CallOutcome, step: Next, agent: User) -> None:
    request.attempts += step.counts
    request.last_outcome = outcome.value
    request.next_attempt_at = step.at
    request.claimed_by = request.claim_expires_at = None
    agreed = outcome.follows.next_call is NextCall.AT_SLOT
    request.preferred_agent = agent if agreed else None
    if agreed and step.at:
        request.due_at = step.at
    waiting = CallbackStatus.SCHEDULED if agreed or request.window_start else CallbackStatus.NEW
    request.status = (CallbackStatus.UNREACHABLE if step.unreachable else waiting).value


def _close_others_with(request: CallbackRequest, caller: Caller, language: str, now: datetime) -> None:
    """Let nobody call a number that has just asked not to be called, about whatever subscription of the tenant.

    One transaction each: together they would wait for each other's locks. What is left is closed by who claims it.
    """
    same = CallbackRequest.objects.open().filter(tenant=request.tenant_id, phone=request.phone)
    for other in same.order_by("pk"):
        with one_transaction():
            close_unwanted(other, caller, language, now)
