"""The feed: all events in one order, which is final. Each reader goes through it at its own pace.

Ids are given before the commit, so a lower one may appear after a higher one was read. Positions are given after it,
by one at a time: whoever sees one sees all below it (docs/decisions/0053).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Max, QuerySet

from common.errors import InputInvalid
from outbox.registry import periodic
from webhooks.errors import CursorExpired
from webhooks.models import Delivery, Event, FeedHead

KEPT_FOR = timedelta(days=30)
_BATCH = 1_000
_POSITION = """
UPDATE webhooks_event SET position = %s + n.place
FROM (
  SELECT id, row_number() OVER (ORDER BY id) AS place
  FROM (SELECT id FROM webhooks_event WHERE position IS NULL ORDER BY id LIMIT %s) AS waiting
) AS n
WHERE webhooks_event.id = n.id
"""


def last_position() -> int:
    """Up to where the feed goes, once all that was committed by now has its position. Two queries if it has."""
    if Event.objects.filter(position=None).exists():
        _position_committed()
    return _head().position


def events_after(position: int | None, rows: QuerySet[Event], limit: int) -> list[Event]:
    """The next of these rows, as many as ``limit``; None: from the first that is kept. Two queries at most.

    Raises CursorExpired where some that followed were forgotten, InputInvalid for a position that nothing has yet.
    """
    found = list(rows.filter(position__gt=position or 0).order_by("position")[:limit])
    if position is not None:
        head = _head()  # after the rows: what is forgotten meanwhile may be missing among them
        if position < head.forgotten:
            raise CursorExpired("after")
        if position > head.position:
            raise InputInvalid("after")
    return found


@periodic(timedelta(minutes=5))
def position_events(now: datetime) -> int:
    """Nobody may have read for long: whoever does then does not have to do all of it."""
    return _position_committed()


@periodic(timedelta(hours=6))
def forget_events(now: datetime) -> int:
    """Drop events after 30 days, delivered or read or not; their versions and positions go on."""
    _position_committed()
    count = 0
    while some := _forget_batch(now - KEPT_FOR):
        count += some
    return count


def _position_committed() -> int:
    count = 0
    while True:
        some = _position_batch()
        count += some
        if some < _BATCH:
            return count


def _position_batch() -> int:
    """In an own transaction: others wait for the head."""
    with transaction.atomic(durable=True):
        head = _locked_head()
        with connection.cursor() as cursor:
            cursor.execute(_POSITION, [head.position, _BATCH])
            count: int = cursor.rowcount
        FeedHead.objects.filter(pk=head.pk).update(position=head.position + count)
        return count


def _forget_batch(before: datetime) -> int:
    with transaction.atomic(durable=True):
        head = _locked_head()
        oldest = Event.objects.filter(at__lt=before, position__isnull=False).order_by("at")
        events = Event.objects.filter(pk__in=list(oldest.values_list("pk", flat=True)[:_BATCH]))
        last = events.aggregate(last=Max("position"))["last"] or 0
        FeedHead.objects.filter(pk=head.pk).update(forgotten=max(head.forgotten, last))
        Delivery.objects.filter(event__in=events).delete()
        count: int = events.delete()[0]
        return count


def _locked_head() -> FeedHead:
    FeedHead.objects.get_or_create(pk=1)
    return FeedHead.objects.select_for_update().get(pk=1)


def _head() -> FeedHead:
    return FeedHead.objects.filter(pk=1).first() or FeedHead(pk=1)
