"""When to call: windows with a place left, in the desk's hours and the customer's day."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from desk.codes import CallbackStatus
from desk.errors import TimeZoneInvalid, WindowNotAvailable
from desk.models import CallbackDesk, CallbackRequest
from desk.selectors import desk_hours, open_windows
from desk.windows import HORIZON, call_by, credit_from, next_call


def read_time_zone(name: str, *path: str) -> ZoneInfo:
    """The IANA zone of that name. Raises TimeZoneInvalid."""
    if name not in available_timezones():
        raise TimeZoneInvalid(*path)
    return ZoneInfo(name)


def locked_desk() -> CallbackDesk:
    """The desk's settings, locked: two customers choosing the last place of a window take turns."""
    return CallbackDesk.objects.select_for_update().get(pk=1)


def set_window(request: CallbackRequest, settings: CallbackDesk, start: datetime | None, now: datetime) -> None:
    """Take a window that is open now (or was this request's already), or the first moment that suits both sides."""
    hours, zone = desk_hours(settings), ZoneInfo(request.time_zone)
    if start is not None and start != request.window_start:
        found = open_windows(zone, now, HORIZON.days, but=request.pk or 0)
        window = next((window for window in found if window.start == start), None)
        if window is None:
            raise WindowNotAvailable("windowId")
        request.window_end = window.end
    request.window_start = start
    if start is None:
        request.window_end = None
    by_window = credit_from(hours, request.requested_at, start)
    # What they postponed and has passed is not given back by asking for an earlier time later.
    request.credit_from = max(by_window, min(request.credit_from, now)) if request.pk else by_window
    promised = timedelta(hours=settings.answer_within_hours)
    request.due_at = request.window_end or call_by(hours, zone, request.requested_at, promised)
    request.next_attempt_at = start or next_call(hours, zone, now)
    waits_as = (CallbackStatus.SCHEDULED if start else CallbackStatus.NEW).value
    if request.status == CallbackStatus.CLAIMED:
        request.waited_as = waits_as
    else:
        request.status = waits_as
