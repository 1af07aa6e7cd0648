"""What a cancellation does when facts change what it gives back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.dispatch import receiver

from billing.refunds.repricing import Repricing
from billing.signals import ending_repriced
from subscriptions.cancellations.announcements import Occasion, announce
from subscriptions.models import Cancellation


@receiver(ending_repriced)
def follow_repricing(*, repricing: Repricing, now: datetime, **_: Any) -> None:
    """Link what was added to the cancellation in force, and send its receipt anew."""
    in_force = Cancellation.objects.filter(subscription__agreement=repricing.agreement, undone_at=None)
    for cancellation in in_force.select_related("tenant", "requested_by_user"):
        if repricing.added:
            cancellation.refunds.add(repricing.added)
        announce(Occasion.REPRICED, cancellation, now)
