"""Periods, anchors that do not drift, and the day by which a refund is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import Billed, Period, add_months, local_midnight, refund_due_by, rolled
from subscriptions.directory.periods import anchor_of, period_by_charges, term_of
from tests.builders import SOFIA, at


@pytest.mark.parametrize(
    ("anchor", "months", "day"),
    [
        (date(2024, 1, 31), 1, date(2024, 2, 29)),  # case 42
        (date(2024, 1, 31), 2, date(2024, 3, 31)),
        (date(2024, 1, 31), 3, date(2024, 4, 30)),
        (date(2023, 1, 31), 1, date(2023, 2, 28)),
        (date(2026, 11, 25), 12, date(2027, 11, 25)),
        (date(2026, 1, 15), -1, date(2025, 12, 15)),
    ],
)
def test_anchors_do_not_drift(anchor: date, months: int, day: date) -> None:
    assert add_months(anchor, months) == day


@pytest.mark.parametrize(
    ("anchor", "requested", "due"),
    [
        # The worked example: annual term from 1 March, canceled on 25 November.
        ("2026-03-01T00:00+02:00", "2026-11-25T10:00Z", date(2026, 12, 31)),
        ("2026-11-01T00:00+02:00", "2026-11-25T10:00Z", date(2026, 12, 31)),
        ("2026-11-25T00:00+02:00", "2026-11-25T10:00Z", date(2027, 1, 24)),
        # 22:30 UTC on 30 November is 1 December in Sofia: the next cycle has begun.
        ("2026-11-01T00:00+02:00", "2026-11-30T22:30Z", date(2027, 1, 31)),
        ("2024-01-31T00:00+02:00", "2024-02-10T10:00Z", date(2024, 3, 30)),
    ],
)
def test_due_by_the_end_of_the_next_billing_cycle(anchor: str, requested: str, due: date) -> None:
    assert refund_due_by(at(anchor), at(requested), SOFIA) == due


@pytest.mark.parametrize(
    ("day", "utc"),
    [
        (date(2026, 11, 25), "2026-11-24T22:00Z"),  # case 44: that day in the tenant's zone
        (date(2026, 7, 1), "2026-06-30T21:00Z"),
    ],
)
def test_a_date_is_that_day_in_the_zone(day: date, utc: str) -> None:
    assert local_midnight(day, SOFIA) == at(utc)


def test_terms_roll_at_the_same_wall_clock_time_across_a_clock_change() -> None:
    period = rolled(at("2026-09-15T10:00+03:00"), 1, at("2026-11-20T10:00Z"), SOFIA)
    assert period.start == at("2026-11-15T10:00+02:00")
    assert period.end == at("2026-12-15T10:00+02:00")


INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = st.sampled_from(["Europe/Sofia", "America/New_York", "Asia/Kathmandu", "UTC"]).map(ZoneInfo)


@given(INSTANTS, st.integers(1, 36), st.integers(0, 4000), ZONES)
def test_the_rolled_term_contains_the_instant(anchor: datetime, term: int, days: int, zone: ZoneInfo) -> None:
    instant = anchor + timedelta(days=days, hours=7)
    period = rolled(anchor, term, instant, zone)
    assert instant in period
    # The next term begins where this one ends.
    assert rolled(anchor, term, period.end, zone).start == period.end


@given(INSTANTS, st.integers(0, 1500), ZONES)
def test_due_between_one_and_two_months_after_the_request(anchor: datetime, days: int, zone: ZoneInfo) -> None:
    requested = anchor + timedelta(days=days)
    due = refund_due_by(anchor, requested, zone)
    assert timedelta(days=27) <= due - requested.astimezone(zone).date() <= timedelta(days=62)


def days(start: date, end: date) -> Period:
    return Period(local_midnight(start, SOFIA), local_midnight(end, SOFIA))


FEBRUARY = days(date(2026, 2, 1), date(2026, 3, 1))
MARCH = days(date(2026, 3, 1), date(2026, 4, 1))
APRIL = days(date(2026, 4, 1), date(2026, 5, 1))
ADDED = days(date(2026, 3, 11), date(2026, 4, 1))
QUARTER = days(date(2026, 2, 1), date(2026, 5, 1))
AT = at("2026-03-20T10:00Z")


@pytest.mark.parametrize(
    ("billed", "known", "period", "seats"),
    [
        # One contains now: whatever was billed ahead, and whatever was written down before.
        ([(MARCH, 5)], None, MARCH, 5),
        ([(MARCH, 5), (APRIL, 6)], None, MARCH, 5),
        ([(FEBRUARY, 4), (MARCH, 5), (APRIL, 6)], APRIL, MARCH, 5),
        ([(MARCH, 5)], FEBRUARY, MARCH, 5),
        # Several do: those that end last, from their first start; the seats of all.
        ([(MARCH, 5), (ADDED, 2)], MARCH, MARCH, 7),
        ([(ADDED, 2), (MARCH, 5), (APRIL, 7)], None, MARCH, 7),
        ([(MARCH, 5), (QUARTER, 2)], MARCH, QUARTER, 7),
        # None does: what is on record goes on, also where a term was added to it.
        ([(FEBRUARY, 4)], MARCH, None, None),
        ([(APRIL, 6)], MARCH, None, None),
        ([(FEBRUARY, 4), (APRIL, 6)], MARCH, None, None),
        ([(days(date(2026, 1, 1), date(2026, 2, 1)), 4)], FEBRUARY, None, None),
        ([(APRIL, 6)], FEBRUARY, None, None),
        ([], MARCH, None, None),
        # Else the last that ended, and what is to come where nothing is known.
        ([(FEBRUARY, 4), (APRIL, 6)], None, FEBRUARY, 4),
        ([(FEBRUARY, 4), (days(date(2026, 2, 9), date(2026, 3, 1)), 3)], None, FEBRUARY, 7),
        ([(FEBRUARY, 4)], FEBRUARY, FEBRUARY, 4),
        ([(FEBRUARY, 4)], APRIL, FEBRUARY, 4),
        ([(APRIL, 6), (days(date(2026, 5, 1), date(2026, 6, 1)), 9)], None, APRIL, 6),
        ([(days(date(2026, 5, 1), date(2026, 6, 1)), 9)], days(date(2026, 6, 1), date(2026, 7, 1)),
         days(date(2026, 5, 1), date(2026, 6, 1)), 9),
        ([], None, None, None),
    ],
)  # fmt: skip
def test_the_period_is_the_one_that_contains_now_by_all_charges(
    billed: list[tuple[Period, int]], known: Period | None, period: Period | None, seats: int | None
) -> None:
    for order in (billed, billed[::-1]):
        found = period_by_charges([Billed(*one) for one in order], known, AT)
        assert (found and found.period, found and found.seats) == (period, seats)


def test_a_period_begins_at_its_first_instant_and_is_over_at_its_last() -> None:
    both = [Billed(MARCH, 5), Billed(APRIL, 6)]
    for instant, found in (
        (MARCH.start, both[0]),
        (MARCH.end - timedelta(microseconds=1), both[0]),
        (MARCH.end, both[1]),
    ):
        assert period_by_charges(both, None, instant) == found


@given(st.lists(st.tuples(INSTANTS, st.integers(1, 400), st.integers(0, 9)), max_size=5), INSTANTS, st.integers(0, 400))
def test_what_was_found_is_found_again(charges: list[tuple[datetime, int, int]], now: datetime, ago: int) -> None:
    billed = [Billed(Period(start, start + timedelta(days=length)), seats) for start, length, seats in charges]
    known = Period(now - timedelta(days=ago), now + timedelta(days=20 - ago))
    found = period_by_charges(billed, known, now)
    running = [one for one in billed if now in one.period]
    if running:
        assert found
        assert now in found.period
        assert found.seats == sum(one.seats for one in running)
    if found:
        assert period_by_charges(billed, found.period, now) == found


@pytest.mark.parametrize(
    ("anchor", "term", "period", "expected"),
    [
        (None, 1, MARCH, date(2026, 3, 1)),
        (date(2026, 1, 1), 1, MARCH, date(2026, 1, 1)),
        (date(2026, 1, 1), None, MARCH, date(2026, 1, 1)),
        # From the 31st: February ends on its last day, and March not on the 28th.
        (date(2026, 1, 31), 1, days(date(2026, 2, 28), date(2026, 3, 31)), date(2026, 1, 31)),
        # Billing has moved to another day.
        (date(2026, 1, 1), 1, ADDED, date(2026, 3, 11)),
        (date(2026, 1, 1), 12, MARCH, date(2026, 3, 1)),
        (date(2025, 3, 1), 12, MARCH, date(2025, 3, 1)),
        # What was billed ahead was written down first.
        (date(2026, 4, 1), 1, MARCH, date(2026, 4, 1)),
    ],
)
def test_an_anchor_stays_as_long_as_it_gives_the_period(
    anchor: date | None, term: int | None, period: Period, expected: date
) -> None:
    found = anchor_of(local_midnight(anchor, SOFIA) if anchor else None, term, period, SOFIA)
    assert found == local_midnight(expected, SOFIA)


@pytest.mark.parametrize(
    ("known", "anchor", "period", "expected"),
    [
        (1, date(2026, 3, 1), MARCH, 1),
        (1, date(2026, 1, 31), days(date(2026, 2, 28), date(2026, 3, 31)), 1),
        (12, date(2026, 3, 1), MARCH, None),
        (1, date(2026, 2, 1), QUARTER, None),
        (None, date(2026, 3, 1), MARCH, None),
    ],
)
def test_a_term_stays_as_long_as_the_period_is_one(
    known: int | None, anchor: date, period: Period, expected: int | None
) -> None:
    assert term_of(known, local_midnight(anchor, SOFIA), period, SOFIA) == expected
