"""What every write about a request shares: find it under a lock, compare it with the page, close it, put it on the trail."""

from __future__ import annotations

from datetime import datetime, timedelta

from common.errors import ChangedMeanwhile, NotFound
from desk.attempts import CallOutcome, Next
from desk.codes import CloseReason
from desk.events import CallEvent, publish_callback
from desk.mail import queue_call_mail
from desk.models import CallbackAttempt, CallbackRequest
from subscriptions.inputs import locked_subscription
from subscriptions.models import Subscription
from subscriptions.selectors.lists import visible
from tenants.actions import Action
from tenants.audit import events_about, record
from tenants.callers import Caller, Scope

CLAIM_LEASE = timedelta(minutes=20)


def locked_request(caller: Caller, callback_id: int) -> tuple[CallbackRequest, Subscription]:
    """A request with its subscription, both locked. Raises NotFound, NotPermitted."""
    found = visible(CallbackRequest.objects.all(), caller).filter(pk=callback_id).first()
    if found is None:
        raise NotFound("callbackId")
    subscription = locked_subscription(caller, found.subscription_id, Scope.CALLBACK, "callbackId")
    return CallbackRequest.objects.select_for_update(of=("self",)).get(pk=callback_id), subscription


def require_seen(request: CallbackRequest, seen: int | None) -> None:
    """Raise ChangedMeanwhile when the trail of a locked request goes on after the position ``seen``; None: no matter."""
    if seen is not None and events_about(request.tenant_id, subject_of(request.pk), after=seen).exists():
        raise ChangedMeanwhile


def close_request(request: CallbackRequest, reason: CloseReason, now: datetime) -> bool:
    """Close one request, and tell partners; False when it was not open."""
    still_open = CallbackRequest.objects.open().filter(pk=request.pk)
    closed = still_open.update(
        status=reason.status,
        close_reason=reason,
        closed_at=now,
        next_attempt_at=None,
        claimed_by=None,
        claim_expires_at=None,
    )
    if closed:
        request.status, request.close_reason, request.closed_at = reason.status.value, reason.value, now
        publish_callback(CallEvent.CALLBACK_CLOSED, request, now)
    return bool(closed)


def close_unwanted(request: CallbackRequest, caller: Caller, language: str, now: datetime) -> None:
    """Close one whose number asked not to be called."""
    reason = CloseReason.ASKED_NOT_TO_CALL
    if close_request(request, reason, now):
        audit_call(Action.CALLBACK_ASKED_NOT_TO_CALL, caller, request, language, now)
        queue_call_mail(reason.mail, request, now)


def note_reached(request: CallbackRequest, now: datetime) -> None:
    """Write down that the agent who has claimed a request spoke with the customer, and that was the last call."""
    assert request.claimed_by_id is not None
    write_attempt(
        request, request.claimed_by_id, CallOutcome.REACHED, Next(None, CallOutcome.REACHED.follows.counts), "", now
    )


def write_attempt(
    request: CallbackRequest, agent_id: int, outcome: CallOutcome, step: Next, note: str, now: datetime
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


def audit_call(
    action: Action, caller: Caller, request: CallbackRequest, language: str, now: datetime, **more: object
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
