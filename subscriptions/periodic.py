"""The subscriptions room's periodic work."""

from __future__ import annotations

from datetime import timedelta

from outbox.registry import every
from subscriptions import lifecycle

every(timedelta(minutes=1))(lifecycle.roll_periods)
every(timedelta(minutes=5))(lifecycle.tell_late_refunds)
every(timedelta(hours=6))(lifecycle.forget_keys)
