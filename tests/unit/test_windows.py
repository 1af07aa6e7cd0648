"""When the desk calls, and from when credit counts."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from common.formatting import format_span
from desk.windows import (
    Hours,
    business_hours_later,
    business_time_between,
    call_by,
    credit_from,
    is_day,
    next_call,
    next_open,
    windows,
    zones_at_night,
)
from tests.builders import NOW, SOFIA, at

DESK = Hours(SOFIA, "BG", time(9), time(18))
NEW_YORK = ZoneInfo("America/New_York")


def local(instants: list[datetime], zone: ZoneInfo = SOFIA) -> list[str]:
    return [instant.astimezone(zone).strftime("%a %d %H:%M") for instant in instants]


def test_today_and_tomorrow_in_sofia() -> None:
    # NOW is Wednesday 12:00 in Sofia.
    assert local(list(windows(DESK, SOFIA, NOW, 2))) == [
        "Wed 25 13:00", "Wed 25 15:00",
        "Thu 26 09:00", "Thu 26 11:00", "Thu 26 13:00", "Thu 26 15:00",
    ]  # fmt: skip


def test_half_an_hour_of_notice() -> None:
    now = at("2026-11-25T12:31:00+02:00")
    assert local(list(windows(DESK, SOFIA, now, 1))) == ["Wed 25 15:00"]


def test_inside_the_customers_day() -> None:
    # New York is seven hours behind: only 16:00-18:00 in Sofia is after 09:00 there, and no window is that late.
    assert local(list(windows(DESK, NEW_YORK, NOW, 1)), NEW_YORK) == []
    late = Hours(SOFIA, "BG", time(12), time(20))
    assert local(list(windows(late, NEW_YORK, NOW, 1)), NEW_YORK) == ["Wed 25 09:00", "Wed 25 11:00"]


def test_weekends_and_holidays_are_skipped() -> None:
    # 24-26 and 28 December 2026 are holidays in Bulgaria, 27 is a Sunday.
    now = at("2026-12-23T15:30:00+02:00")
    assert local(list(windows(DESK, SOFIA, now, 1)))[0] == "Tue 29 09:00"


def test_case_59_a_window_over_a_clock_change() -> None:
    desk = Hours(NEW_YORK, "US", time(9), time(17))
    [first, *_] = windows(desk, NEW_YORK, at("2026-10-29T22:00Z"), 1)
    assert first == at("2026-10-30T13:00Z")
    [monday, *_] = windows(desk, NEW_YORK, at("2026-10-31T22:00Z"), 1)
    assert monday == at("2026-11-02T14:00Z")


@pytest.mark.parametrize(
    ("language", "label"),
    [
        ("en", "Thursday 26 November 2026, 09:00–11:00 (Sofia, UTC+02:00)"),
        ("bg", "четвъртък, 26 ноември 2026 г., 09:00–11:00 (София, UTC+02:00)"),
    ],
)
def test_case_60_the_label_names_the_zone_and_the_offset_on_that_date(language: str, label: str) -> None:
    start = at("2026-11-26T07:00Z")
    with translation.override(language):
        assert format_span(start, start + DESK.window, SOFIA).replace("\u202f", " ").replace("\u00a0", " ").replace(
            ",", ""
        ) == label.replace(",", "")
        summer = format_span(at("2026-07-01T07:00Z"), at("2026-07-01T09:00Z"), SOFIA)
        assert "UTC+03:00" in summer


def test_the_desk_has_days_off_and_windows_of_its_own() -> None:
    desk = Hours(SOFIA, "BG", time(9), time(18), timedelta(minutes=45), frozenset({at("2026-11-26T12:00Z").date()}))
    found = local(list(windows(desk, SOFIA, NOW, 2)))
    assert found[:2] == ["Wed 25 12:45", "Wed 25 13:30"]
    assert not [start for start in found if start.startswith("Thu")]
    assert "Fri 27 09:00" in found


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-11-25T12:00+02:00", "2026-11-25T13:30+02:00", 1.5),
        ("2026-11-25T17:00+02:00", "2026-11-26T10:00+02:00", 2),
        ("2026-11-27T20:00+02:00", "2026-11-30T10:00+02:00", 1),  # over a weekend
        ("2026-12-23T17:00+02:00", "2026-12-29T11:00+02:00", 3),  # over the holidays
        ("2026-11-25T20:00+02:00", "2026-11-25T21:00+02:00", 0),
        ("2026-11-25T13:00+02:00", "2026-11-25T12:00+02:00", 0),
    ],
)
def test_business_time_between(start: str, end: str, hours: float) -> None:
    assert business_time_between(DESK, at(start), at(end)) == timedelta(hours=hours)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(timedelta(minutes=1), timedelta(hours=60)),
)
def test_business_time_is_what_was_added(now: datetime, span: timedelta) -> None:
    assert business_time_between(DESK, now, business_hours_later(DESK, now, span)) == span


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-25T12:00+02:00", "2026-11-25T12:00+02:00"),
        ("2026-11-25T03:00+02:00", "2026-11-25T09:00+02:00"),
        ("2026-11-27T18:00+02:00", "2026-11-30T09:00+02:00"),
        ("2026-12-23T20:00+02:00", "2026-12-29T09:00+02:00"),
    ],
)
def test_next_open(now: str, opens: str) -> None:
    assert next_open(DESK, at(now)) == at(opens)


@pytest.mark.parametrize(
    ("window", "credit"),
    [
        (None, "2026-11-25T10:00Z"),  # waiting for us costs nothing
        ("2026-11-26T07:00Z", "2026-11-25T10:00Z"),
        ("2026-12-02T07:00Z", "2026-11-25T10:00Z"),  # five business days ahead, to the hour before
        ("2026-12-02T13:00Z", "2026-11-25T13:00Z"),  # three hours more than five business days
        ("2026-12-10T07:00Z", "2026-12-03T07:00Z"),  # postponing us does
    ],
)
def test_credit_from(window: str | None, credit: str) -> None:
    assert credit_from(DESK, NOW, at(window) if window else None) == at(credit)


ZONES = st.sampled_from(["Europe/Sofia", "America/New_York", "Asia/Tokyo", "Pacific/Apia", "UTC"]).map(ZoneInfo)


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    ZONES,
    ZONES,
    st.integers(0, 12),
    st.integers(1, 11),
)
def test_every_window_is_decent(now: datetime, desk_zone: ZoneInfo, customer: ZoneInfo, opens: int, hours: int) -> None:
    desk = Hours(desk_zone, "BG", time(opens), time(opens + hours))
    found = list(windows(desk, customer, now, 3))
    assert found == sorted(set(found))
    for start in found:
        assert now + timedelta(minutes=30) <= start <= now + timedelta(days=30)
        here, there = start.astimezone(desk_zone), start.astimezone(customer)
        assert desk.is_business_day(here.date())
        assert desk.opening(here.date()) <= start
        assert start + DESK.window <= desk.closing(here.date())
        assert time(9) <= there.time()
        assert (start + DESK.window).astimezone(customer).time() <= time(19)
        assert now <= credit_from(desk, now, start) <= start


# What people live by; "localtime" and "Factory" are names for whatever the machine has.
EVERY_ZONE = st.sampled_from(sorted(available_timezones() - {"localtime", "Factory"})).map(ZoneInfo)
# Over the changes of clocks of several years, by the minute.
INSTANTS = st.datetimes(
    datetime(2024, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001
).map(lambda instant: instant.replace(second=0, microsecond=0))  # fmt: skip


def meets(desk: Hours, zone: ZoneInfo, day: date) -> bool:
    """Whether there is a minute of the desk's day at which it is day in ``zone``, by trying them all."""
    minutes = int((desk.closing(day) - desk.opening(day)).total_seconds() // 60)
    return any(is_day(zone, desk.opening(day) + timedelta(minutes=minute)) for minute in range(0, minutes, 5))


@given(INSTANTS, EVERY_ZONE, EVERY_ZONE, st.integers(0, 20), st.integers(1, 11))
def test_every_call_is_planned_in_the_customers_day(
    now: datetime, desk_zone: ZoneInfo, customer: ZoneInfo, opens: int, hours: int
) -> None:
    desk = Hours(desk_zone, "BG", time(opens), time(min(opens + hours, 23)))
    planned = next_call(desk, customer, now)
    assert planned >= now
    assert is_day(customer, planned)
    here = planned.astimezone(desk_zone).date()
    assert desk.is_business_day(here)
    # The desk is open then, unless its hours and the customer's day do not meet for three business days.
    if not desk.opening(here) <= planned < desk.closing(here):
        day, days = now.astimezone(desk_zone).date(), 0
        while days < 3:
            day += timedelta(days=1)
            if desk.is_business_day(day):
                assert not meets(desk, customer, day)
                days += 1
    by = call_by(desk, customer, now, timedelta(hours=4))
    assert planned <= by
    assert time(9) <= by.astimezone(customer).time() <= time(19)


@given(INSTANTS, st.sampled_from(["Europe/Sofia", "America/New_York", "Asia/Tokyo"]).map(ZoneInfo))
def test_nothing_sooner_would_have_done(now: datetime, customer: ZoneInfo) -> None:
    planned = next_call(DESK, customer, now)
    minute = now
    while minute < planned:
        day = minute.astimezone(SOFIA).date()
        works = DESK.is_business_day(day) and DESK.opening(day) <= minute < DESK.closing(day)
        assert not (works and is_day(customer, minute))
        minute += timedelta(minutes=30)


@given(INSTANTS)
def test_night_is_where_it_is_not_day(now: datetime) -> None:
    night = zones_at_night(now)
    assert all((name in night) is not is_day(ZoneInfo(name), now) for name in available_timezones())


@pytest.mark.parametrize(
    ("zone", "now", "planned"),
    [
        ("Europe/Sofia", "2026-11-25T12:00+02:00", "2026-11-25T12:00+02:00"),
        ("America/New_York", "2026-11-25T12:00+02:00", "2026-11-25T16:00+02:00"),
        ("America/New_York", "2026-11-25T17:59+02:00", "2026-11-25T17:59+02:00"),
        ("America/New_York", "2026-11-27T18:00+02:00", "2026-11-30T16:00+02:00"),  # over a weekend
        ("America/New_York", "2026-10-26T09:00+02:00", "2026-10-26T15:00+02:00"),  # clocks go back a week later there
        ("Asia/Tokyo", "2026-11-25T12:00+02:00", "2026-11-26T09:00+02:00"),
        # The desk closes an hour before the day begins in Los Angeles: then it is the day there that counts.
        ("America/Los_Angeles", "2026-11-25T12:00+02:00", "2026-11-25T09:00-08:00"),
        ("America/Los_Angeles", "2026-11-28T12:00+02:00", "2026-11-30T09:00-08:00"),
        # Saturday there, while the desk still has Friday.
        ("Pacific/Apia", "2026-11-27T21:00+02:00", "2026-11-30T00:00+02:00"),
    ],
)
def test_when_somebody_is_called_next(zone: str, now: str, planned: str) -> None:
    assert next_call(DESK, ZoneInfo(zone), at(now)) == at(planned)


@pytest.mark.parametrize(
    ("zone", "asked", "by"),
    [
        ("Europe/Sofia", "2026-11-25T12:00+02:00", "2026-11-25T16:00+02:00"),
        ("Europe/Sofia", "2026-11-25T14:00+02:00", "2026-11-25T18:00+02:00"),
        ("America/New_York", "2026-11-25T12:00+02:00", "2026-11-26T16:00+02:00"),
        ("Asia/Tokyo", "2026-11-25T09:00+02:00", "2026-11-26T09:00+02:00"),
    ],
)
def test_until_when_a_call_is_promised(zone: str, asked: str, by: str) -> None:
    assert call_by(DESK, ZoneInfo(zone), at(asked), timedelta(hours=4)) == at(by)
