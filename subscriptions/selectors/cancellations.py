"""What a cancellation says."""

from __future__ import annotations

from datetime import datetime

from subscriptions.models import Cancellation
from subscriptions.models.cancellations import CancellationStatus


def cancellation_status(cancellation: Cancellation, at: datetime) -> CancellationStatus:
    """SCHEDULED until the effect, EFFECTIVE from then on, UNDONE for good."""
    if cancellation.undone_at:
        return CancellationStatus.UNDONE
    return CancellationStatus.EFFECTIVE if cancellation.effective_at <= at else CancellationStatus.SCHEDULED


def requested_by(cancellation: Cancellation) -> str:
    """The name of the person or the token that canceled; empty when they are gone. Of who was vouched for, by whom."""
    person = cancellation.requested_by_user or cancellation.requested_by_vouched
    if person:
        return person.display_name
    return cancellation.requested_by_token.name if cancellation.requested_by_token else ""
