"""Celery's workers as the test of a whole installation starts them: ``celery -A tests.kills.grown worker``.

They live four days later, when no undo is open any more; what a dead one held is free after a second; the beat looks
every second, so that a test need not wait a minute for what a broker lost.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from outbox.tasks import app  # sets Django up

__all__ = ["app"]


def clock() -> datetime:
    return timezone.now() + timedelta(days=4)


def _shorten() -> None:
    from outbox import lanes, worker

    worker.LEASE = timedelta(seconds=1)
    lanes.Lanes.__init__.__kwdefaults__["clock"] = clock  # type: ignore[index]


_shorten()
app.conf.beat_schedule = {"look": {"task": "outbox.work", "schedule": 1.0}}
