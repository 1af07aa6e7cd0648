"""Reads of the callback desk: its hours, windows with capacity left, calls of a page, what is due."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from django.db.models import Count, Max, Q, QuerySet

from desk.codes import OPEN_STATUSES
from desk.models import CallbackDesk, CallbackRequest, read_days
from desk.windows import LONGEST_WINDOW, Hours, windows, zones_at_night


def desk() -> CallbackDesk:
    """The callback desk's settings."""
    return CallbackDesk.objects.get(pk=1)


def desk_hours(settings: CallbackDesk) -> Hours:
    """The desk's business hours as the pure rules read them."""
    return Hours(
        ZoneInfo(settings.time_zone),
        settings.country,
        settings.opens_at,
        settings.closes_at,
        timedelta(minutes=settings.window_minutes),
        frozenset(read_days(settings.days_off)),
    )


def open_call(subscription_id: int) -> CallbackRequest | None:
    """The request of one subscription that somebody still waits for."""
    return CallbackRequest.objects.open().filter(subscription=subscription_id).first()


class Calls:
    """The callback requests of a page of subscriptions: one query, when one of them is first asked for."""

    def __init__(self, subscription_ids: Iterable[int]) -> None:
        self._ids = list(subscription_ids)

    @cached_property
    def _latest(self) -> Mapping[int, CallbackRequest]:
        newest = CallbackRequest.objects.filter(subscription__in=self._ids).values("subscription").annotate(Max("pk"))
        found = CallbackRequest.objects.filter(pk__in=newest.values("pk__max"))
        return {request.subscription_id: request for request in found}

    def latest(self, subscription_id: int) -> CallbackRequest | None:
        """The latest request about one of them, whatever became of it."""
        return self._latest.get(subscription_id)

    def open(self, subscription_id: int) -> CallbackRequest | None:
        """The one that somebody still waits for. It is always the latest."""
        latest = self.latest(subscription_id)
        return latest if latest and latest.status in OPEN_STATUSES else None


def to_be_called(now: datetime) -> Q:
    """Those whose time has come and for whom it is day."""
    return Q(next_attempt_at__lte=now) & ~Q(time_zone__in=zones_at_night(now))


def due_now(now: datetime) -> QuerySet[CallbackRequest]:
    """Open requests that somebody should call now and that no agent holds, in the order of the queue."""
    free = Q(claimed_by=None) | Q(claim_expires_at__lte=now)
    due = CallbackRequest.objects.open().filter(free, to_be_called(now))
    # PostgreSQL reads the index in order only if the column that is NULL everywhere is named too.
    return due.order_by("closed_at", "due_at", "requested_at", "pk")


@dataclass(frozen=True, slots=True)
class Window:
    """A span (UTC) in which the customer can be called."""

    start: datetime
    end: datetime


def open_windows(zone: ZoneInfo, now: datetime, business_days: int, *, but: int = 0) -> list[Window]:
    """The windows with capacity left, seen from the customer's ``zone``, soonest first; two queries.

    A call that was booked before the windows were changed counts in every window that it touches.
    ``but`` is a callback request whose own place does not count.
    """
    settings = desk()
    hours = desk_hours(settings)
    found = [Window(start, start + hours.window) for start in windows(hours, zone, now, business_days)]
    # By the indexed start; no window is longer than this.
    booked = CallbackRequest.objects.open().filter(window_start__gt=now - LONGEST_WINDOW)
    spans = list(booked.exclude(pk=but).values_list("window_start", "window_end").annotate(Count("pk")))

    def taken(window: Window) -> int:
        return sum(count for start, end, count in spans if start < window.end and end > window.start)

    return [window for window in found if taken(window) < settings.window_capacity]
