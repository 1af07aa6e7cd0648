"""The outbox's own periodic work."""

from __future__ import annotations

from datetime import datetime, timedelta

from outbox.registry import periodic
from outbox.worker import forget_done
from tenants.anchors import anchor_heads

# The trail stands below the outbox, and has no periodic work of its own.
periodic(timedelta(days=1))(anchor_heads)


@periodic(timedelta(hours=6))
def forget_done_tasks(now: datetime) -> int:
    return forget_done(now)
