"""Which period a subscription is in, with how many seats: by all its charges on record and the clock. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from billing.periods import Billed, Period, rolled


def period_by_charges(billed: Sequence[Billed], known: Period | None, now: datetime) -> Billed | None:
    """What charges say of the period that contains ``now``; None where ``known``, the one on record, says more.

    Of the charges that contain it: the period of those that end last, from their first start, and the seats of all.
    Where none does, one on record that has begun goes on, unless the last that was billed ended after it. What was only
    billed ahead is taken where nothing else is known.
    """
    if running := [one for one in billed if now in one.period]:
        return _together(running)
    begun = known is not None and known.has_begun(now)
    if over := [one for one in billed if one.period.end <= now]:
        last = _together([one for one in over if one.period.end == max(one.period.end for one in over)])
        return None if begun and known and known.end > last.period.end else last
    if begun or not billed:
        return None
    first = min(one.period.start for one in billed)
    return _together([one for one in billed if one.period.start == first])


def anchor_of(anchor: datetime | None, term_months: int | None, period: Period, zone: ZoneInfo) -> datetime:
    """From where ``period`` is counted on: the anchor on record as long as it gives this period, else its own start.

    So that anchors do not drift, and terms follow when billing moves to another day.
    """
    given = rolled(anchor, term_months or 1, period.start, zone) if anchor else None
    return anchor if anchor and given and given.start == period.start else period.start


def term_of(known: int | None, anchor: datetime, period: Period, zone: ZoneInfo) -> int | None:
    """The term on record where it is as long as ``period``, else None: nobody knows how it goes on."""
    return known if known and rolled(anchor, known, period.start, zone) == period else None


def _together(billed: Sequence[Billed]) -> Billed:
    end = max(one.period.end for one in billed)
    start = min(one.period.start for one in billed if one.period.end == end)
    return Billed(Period(start, end), sum(one.seats for one in billed))
