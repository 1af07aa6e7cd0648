"""When the desk can call: windows, business days, the customer's day, and what their clock makes of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import holidays

LONGEST_WINDOW = timedelta(hours=8)
NOTICE = timedelta(minutes=30)
HORIZON = timedelta(days=30)
# Nobody is called before or after, in their own zone.
CUSTOMER_FROM, CUSTOMER_UNTIL = time(9), time(19)
# On how many business days, today's included, an hour is looked for in which the desk is open and the customer awake.
_DAYS_TO_MEET = 4
# A window chosen further away than this moves the day from which credit counts.
FREE_BUSINESS_DAYS = 5


@lru_cache(maxsize=256)
def _holidays(country: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, years=year))


@dataclass(frozen=True, slots=True)
class Hours:
    """The desk's business hours, Monday to Friday, without the holidays of ``country`` and the desk's own days off.

    ``country`` is ISO 3166, two letters; ``window`` is how long a window of the customer's choice is.
    """

    zone: ZoneInfo
    country: str
    opens_at: time
    closes_at: time
    window: timedelta = timedelta(hours=2)
    days_off: frozenset[date] = field(default_factory=frozenset)

    def is_business_day(self, day: date) -> bool:
        """Whether the desk works on ``day``, a date in its own zone."""
        off = day in self.days_off or day in _holidays(self.country, day.year)
        return day.weekday() < 5 and not off

    def opening(self, day: date) -> datetime:
        """When the desk opens on ``day``, in UTC."""
        return _at(day, self.opens_at, self.zone)

    def closing(self, day: date) -> datetime:
        """When the desk closes on ``day``, in UTC."""
        return _at(day, self.closes_at, self.zone)


def windows(hours: Hours, customer_zone: ZoneInfo, now: datetime, business_days: int) -> Iterator[datetime]:
    """The starts (UTC) of the windows in the next ``business_days`` on which there are any, soonest first.

    Inside business hours and 09:00-19:00 of the customer, at least 30 minutes and at most 30 days ahead.
    """
    day = now.astimezone(hours.zone).date()
    days_with_windows = 0
    while days_with_windows < business_days and hours.opening(day) <= now + HORIZON:
        of_day = [start for start in _of_day(hours, day) if _suits(start, hours, customer_zone, now)]
        yield from of_day
        days_with_windows += bool(of_day)
        day += timedelta(days=1)


def next_open(hours: Hours, now: datetime) -> datetime:
    """The first instant from ``now`` on at which the desk is open."""
    day = now.astimezone(hours.zone).date()
    while not hours.is_business_day(day) or now >= hours.closing(day):
        day += timedelta(days=1)
    return max(now, hours.opening(day))


def is_day(zone: ZoneInfo, at: datetime) -> bool:
    """Whether somebody in ``zone`` may be called at ``at``: from 09:00 until before 19:00."""
    return CUSTOMER_FROM <= at.astimezone(zone).time() < CUSTOMER_UNTIL


def zones_at_night(at: datetime) -> frozenset[str]:
    """The names of all zones in which nobody may be called at ``at``."""
    return _zones_at_night(at.replace(second=0, microsecond=0))


@lru_cache(maxsize=4)
def _zones_at_night(minute: datetime) -> frozenset[str]:
    return frozenset(zone.key for zone in _zones() if not is_day(zone, minute))


@lru_cache(maxsize=1)
def _zones() -> list[ZoneInfo]:
    return [ZoneInfo(name) for name in sorted(available_timezones())]


def next_call(hours: Hours, zone: ZoneInfo, at: datetime) -> datetime:
    """The first instant from ``at`` on at which the desk is open and it is day for a customer in ``zone``.

    Where the two do not meet within three business days it is the customer's day that counts: the first instant of
    it on a business day, whatever the desk's hours.
    """
    day, left = at.astimezone(hours.zone).date(), _DAYS_TO_MEET
    while left:
        if hours.is_business_day(day):
            left -= 1
            for begins, ends in _days(zone, hours.opening(day), hours.closing(day)):
                first = max(at, begins, hours.opening(day))
                if first < min(ends, hours.closing(day)):
                    return first
        day += timedelta(days=1)
    return _in_their_day(hours, zone, at)


def _in_their_day(hours: Hours, zone: ZoneInfo, at: datetime) -> datetime:
    """The first instant of the customer's day that is a business day by their date and by the desk's."""
    day = at.astimezone(zone).date()
    while True:
        begins, ends = _at(day, CUSTOMER_FROM, zone), _at(day, CUSTOMER_UNTIL, zone)
        midnight = _at(begins.astimezone(hours.zone).date() + timedelta(days=1), time(0), hours.zone)
        for first in (max(at, begins), max(at, midnight)):
            business = hours.is_business_day(day) and hours.is_business_day(first.astimezone(hours.zone).date())
            if business and begins <= first < ends:
                return first
        day += timedelta(days=1)


def _days(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The days of a customer in ``zone`` that may touch the span."""
    day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
    while day <= last:
        yield _at(day, CUSTOMER_FROM, zone), _at(day, CUSTOMER_UNTIL, zone)
        day += timedelta(days=1)


def call_by(hours: Hours, zone: ZoneInfo, asked_at: datetime, promise: timedelta) -> datetime:
    """Until when somebody in ``zone`` who asked for a call at ``asked_at`` is to be called.

    ``promise`` in business hours, from when they can be called first; never at night.
    """
    by = business_hours_later(hours, next_call(hours, zone, asked_at), promise)
    return by if CUSTOMER_FROM <= by.astimezone(zone).time() <= CUSTOMER_UNTIL else next_call(hours, zone, by)


def business_hours_later(hours: Hours, at: datetime, span: timedelta) -> datetime:
    """The instant at which the desk will have been open for ``span`` since ``at``."""
    opens, left = next_open(hours, at), span
    while (closing := hours.closing(opens.astimezone(hours.zone).date())) - opens < left:
        left -= closing - opens
        opens = next_open(hours, closing)
    return opens + left


def business_time_between(hours: Hours, start: datetime, end: datetime) -> timedelta:
    """How long the desk was open from ``start`` to ``end``; nothing when ``end`` is not after ``start``."""
    total, opens = timedelta(0), next_open(hours, start)
    while opens < end:
        closing = hours.closing(opens.astimezone(hours.zone).date())
        total += min(end, closing) - opens
        opens = next_open(hours, closing)
    return total


def business_morning(hours: Hours, at: datetime, days: int) -> datetime:
    """When the desk opens on the ``days``-th business day after the local day of ``at``."""
    day = at.astimezone(hours.zone).date()
    while days:
        day += timedelta(days=1)
        days -= hours.is_business_day(day)
    return hours.opening(day)


def credit_from(hours: Hours, requested_at: datetime, window_start: datetime | None) -> datetime:
    """From when credit counts: the request, moved later only by a window chosen over five business days away.

    Waiting for us costs the customer nothing; postponing us does.
    """
    if window_start is None:
        return requested_at
    local = window_start.astimezone(hours.zone)
    day, left = local.date(), FREE_BUSINESS_DAYS
    while left:
        day -= timedelta(days=1)
        left -= hours.is_business_day(day)
    return max(requested_at, _at(day, local.time(), hours.zone))


def _of_day(hours: Hours, day: date) -> Iterator[datetime]:
    if not hours.is_business_day(day):
        return
    start, closing = hours.opening(day), hours.closing(day)
    while start + hours.window <= closing:
        yield start
        start += hours.window


def _suits(start: datetime, hours: Hours, customer_zone: ZoneInfo, now: datetime) -> bool:
    local, local_end = start.astimezone(customer_zone), (start + hours.window).astimezone(customer_zone)
    same_day = local.date() == local_end.date()
    decent = same_day and local.time() >= CUSTOMER_FROM and local_end.time() <= CUSTOMER_UNTIL
    return decent and now + NOTICE <= start <= now + HORIZON


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, tzinfo=zone).astimezone(UTC)
