"""The periodic work of subscriptions."""

from __future__ import annotations

from datetime import timedelta

from outbox.registry import every
from subscriptions.cancellations.refunds import tell_late_refunds
from subscriptions.idempotency import forget_keys
from subscriptions.renewal import roll_periods

every(timedelta(minutes=1))(roll_periods)
every(timedelta(minutes=5))(tell_late_refunds)
every(timedelta(hours=6))(forget_keys)
