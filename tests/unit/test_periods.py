"""Periods, anchors that do not drift, and the day by which a refund is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import add_months, local_midnight, refund_due_by, rolled
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
