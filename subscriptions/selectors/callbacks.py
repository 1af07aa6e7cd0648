"""The callback desk: its hours, and the windows with capacity left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count

from subscriptions.models import (
    CallbackDesk,
    CallbackRequest,
)
from subscriptions.models.callbacks import read_days
from subscriptions.windows import LONGEST_WINDOW, Hours, windows


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
