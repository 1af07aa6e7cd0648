"""What follows from dialing, as a table and as a property."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.attempts import MAX_COUNTED, CallOutcome, Next, what_next
from desk.windows import Hours, business_hours_later, business_morning, is_day
from tests.builders import SOFIA
from tests.unit.test_windows import EVERY_ZONE as ZONES

HOURS = Hours(SOFIA, "BG", time(9), time(18))


def sofia(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SOFIA).astimezone(UTC)


INSTANTS = st.integers(0, 365 * 24 * 60).map(lambda minutes: sofia("2026-01-01T00:00") + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("outcome", "at", "counted", "expected"),
    [
        (CallOutcome.NO_ANSWER, "2026-11-24T10:00", 0, Next(sofia("2026-11-24T12:00"), counts=True)),
        (CallOutcome.BUSY, "2026-11-24T17:00", 0, Next(sofia("2026-11-25T10:00"), counts=True)),
        # Friday evening: the second hour is Monday's first.
        (CallOutcome.NO_ANSWER, "2026-11-27T17:00", 0, Next(sofia("2026-11-30T10:00"), counts=True)),
        (CallOutcome.NO_ANSWER, "2026-11-24T12:00", 1, Next(sofia("2026-11-25T09:00"), counts=True)),
        # Wednesday 23 December: 24 to 28 are holidays and a weekend.
        (CallOutcome.NO_ANSWER, "2026-12-23T12:00", 1, Next(sofia("2026-12-29T09:00"), counts=True)),
        (CallOutcome.NO_ANSWER, "2026-11-25T09:00", 2, Next(sofia("2026-11-27T09:00"), counts=True, unreachable=True)),
        (CallOutcome.VOICEMAIL, "2026-11-24T10:00", 0, Next(sofia("2026-11-25T09:00"), counts=True)),
        (CallOutcome.VOICEMAIL, "2026-11-24T10:00", 2, Next(sofia("2026-11-26T09:00"), counts=True, unreachable=True)),
        (CallOutcome.WRONG_NUMBER, "2026-11-24T10:00", 1, Next(None)),
        (CallOutcome.ASKED_NOT_TO_CALL, "2026-11-24T10:00", 0, Next(None)),
        (CallOutcome.LANGUAGE_NEEDED, "2026-11-24T10:00", 1, Next(sofia("2026-11-24T10:00"))),
        (CallOutcome.RELEASED, "2026-11-24T20:00", 1, Next(sofia("2026-11-25T09:00"))),
        (CallOutcome.CALL_LATER, "2026-11-24T10:00", 2, Next(sofia("2026-11-28T11:11"))),
    ],
)
def test_what_follows(outcome: CallOutcome, at: str, counted: int, expected: Next) -> None:
    assert what_next(outcome, HOURS, SOFIA, sofia(at), counted, sofia("2026-11-28T11:11")) == expected


@given(st.sampled_from(list(CallOutcome)), st.integers(0, 5), INSTANTS, ZONES)
def test_nobody_is_called_at_night_or_outside_business_hours_or_counted_for_ever(
    outcome: CallOutcome, counted: int, now: datetime, zone: ZoneInfo
) -> None:
    step = what_next(outcome, HOURS, zone, now, counted, now + timedelta(days=1))
    assert step.counts == outcome.follows.counts
    assert step.unreachable == (step.counts and step.at is not None and counted + 1 >= MAX_COUNTED)
    if step.at and outcome is not CallOutcome.CALL_LATER:
        assert step.at >= now
        assert is_day(zone, step.at)
        here = step.at.astimezone(SOFIA)
        assert HOURS.is_business_day(here.date())
        if zone == SOFIA:
            assert time(9) <= here.time() <= time(18)


@given(INSTANTS, st.integers(1, 30))
def test_business_hours_only_move_forward(at: datetime, hours: int) -> None:
    shorter = business_hours_later(HOURS, at, timedelta(hours=hours))
    assert at < shorter < business_hours_later(HOURS, at, timedelta(hours=hours + 1))


def test_mornings_skip_weekends_and_holidays() -> None:
    assert business_morning(HOURS, sofia("2026-12-23T12:00"), 2) == sofia("2026-12-30T09:00")
