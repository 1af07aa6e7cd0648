"""Billing periods and cycles: half-open spans whose days are those of the tenant's zone. Pure."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

# Facts outside of these are mistakes, and dates near the ends of the calendar break the arithmetic of whoever reads them.
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
MAX_MONTHS = 120
MAX_PERIOD = timedelta(days=MAX_MONTHS * 31)


@dataclass(frozen=True, slots=True)
class Period:
    """[start, end), both aware datetimes."""

    start: datetime
    end: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def has_begun(self, instant: datetime) -> bool:
        """Whether it has begun at ``instant``. At the instant where another period ends, ask ``begins_after`` instead."""
        return self.start <= instant

    def begins_after(self, end: datetime) -> bool:
        """Whether none of it lies before ``end``: what begins at the very end of another period has not begun there."""
        return end <= self.start


@dataclass(frozen=True, slots=True)
class Billed:
    """What a charge is for: a period, and so many seats; 0 where nobody said."""

    period: Period
    seats: int


def add_months(day: date, months: int) -> date:
    """The same day of a later month, clamped to its last: 31 January + 1 is 28 or 29 February.

    Counted from the original day, so anchors do not drift: 31 January + 2 is 31 March.
    """
    year, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month0 + 1, min(day.day, calendar.monthrange(year, month0 + 1)[1]))


def months_later(instant: datetime, months: int, zone: ZoneInfo) -> datetime:
    """The same wall-clock time in ``zone``, ``months`` later, in UTC."""
    local = instant.astimezone(zone)
    return datetime.combine(add_months(local.date(), months), local.timetz()).astimezone(UTC)


def _months_elapsed(anchor: date, day: date) -> int:
    """How many whole months from ``anchor`` lie before or on ``day`` (negative before the anchor)."""
    months = (day.year - anchor.year) * 12 + day.month - anchor.month
    return months if add_months(anchor, months) <= day else months - 1


def rolled(anchor: datetime, term_months: int, instant: datetime, zone: ZoneInfo) -> Period:
    """The term that contains ``instant``, in a row of terms that began at ``anchor``."""
    elapsed = _months_elapsed(anchor.astimezone(zone).date(), instant.astimezone(zone).date())
    terms = elapsed // term_months
    # The wall-clock time of the anchor may lie later in the day than the instant.
    if months_later(anchor, terms * term_months, zone) > instant:
        terms -= 1
    start = months_later(anchor, terms * term_months, zone)
    return Period(start, months_later(anchor, (terms + 1) * term_months, zone))


def refund_due_by(anchor: datetime, requested_at: datetime, zone: ZoneInfo) -> date:
    """The last day of the billing cycle after the one in which the refund was requested.

    Source: the help page, "any prorated credit will be returned to you within the next billing cycle".
    The billing cycle is the month anchored on the day the period began, whatever the length of the term.
    """
    first = anchor.astimezone(zone).date()
    cycle = _months_elapsed(first, requested_at.astimezone(zone).date())
    return add_months(first, cycle + 2) - timedelta(days=1)


def local_midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of ``day`` in ``zone``, in UTC: a date without a time is that day there."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def days_anywhere(now: datetime) -> tuple[date, date]:
    """The earliest and the latest day that it is somewhere."""
    return (now - timedelta(hours=12)).date(), (now + timedelta(hours=14)).date()
