"""Tell partners of calls: ids and states, no people, no numbers."""

from __future__ import annotations

from datetime import datetime

from common.codes import CodeTable
from common.public_ids import Kind, public_id
from desk.models import CallbackRequest
from subscriptions.events import EventData, publish_event
from webhooks.kinds import event_kinds


@event_kinds
class CallEvent(CodeTable):
    """What partners can be told of a call."""

    description: str

    CALLBACK_REQUESTED = "callback.requested", "Somebody wants to be called."
    CALLBACK_CLOSED = "callback.closed", "A request for a call is over."


def publish_callback(type: CallEvent, request: CallbackRequest, now: datetime) -> None:
    """Tell of a call that was asked for or is over; both can come again, since a request can be reopened."""
    publish_event(
        type,
        f"{request.pk}:{now.isoformat()}",
        request.subscription,
        now,
        lambda: {"callbackRequest": _callback(request)},
    )


def _callback(request: CallbackRequest) -> EventData:
    return {
        "id": public_id(Kind.CALLBACK, request.pk),
        "reference": request.reference,
        "status": request.status,
        "requestedAt": request.requested_at,
        "closedAt": request.closed_at,
        "closeReason": request.close_reason or None,
    }
