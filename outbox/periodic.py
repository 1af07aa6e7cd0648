"""The outbox's own periodic work."""

from __future__ import annotations

from datetime import datetime, timedelta

from outbox.registry import periodic
from outbox.worker import forget_done


@periodic(timedelta(hours=6))
def forget_done_tasks(now: datetime) -> int:
    return forget_done(now)
