"""The first and the last instant of everything that has an end, and the shortest period there is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from billing.periods import Period
from billing.proration import Convention, NoRefundReason, RefundTerms, period_units, prorate, used_units
from subscriptions.policy.decision import Reason, evaluate
from subscriptions.policy.facts import InForce, Mode, Snapshot, Status
from subscriptions.policy.quotes import boundary_between
from subscriptions.policy.status import current_period, is_trial, status_at
from tests.builders import NOW, PERIOD, SOFIA, at, charge, in_force, snapshot

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
NEXT = Period(PERIOD.end, at("2026-12-31T22:00Z"))
ONE_DAY = Period(at("2026-11-24T22:00Z"), at("2026-11-25T22:00Z"))
DAYS = [convention for convention in Convention if convention is not Convention.SECOND]


def test_a_period_holds_its_first_instant_and_not_its_last() -> None:
    assert [instant in PERIOD for instant in (PERIOD.start - TICK, PERIOD.start, PERIOD.end - TICK, PERIOD.end)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_a_period_has_begun_at_its_first_instant() -> None:
    assert not PERIOD.has_begun(PERIOD.start - TICK)
    assert PERIOD.has_begun(PERIOD.start)


def test_what_begins_at_the_end_of_another_begins_after_it() -> None:
    assert NEXT.begins_after(PERIOD.end)
    assert not NEXT.begins_after(PERIOD.end + TICK)


@pytest.mark.parametrize("convention", DAYS)
def test_a_period_of_one_day_has_one_unit(convention: Convention) -> None:
    assert period_units(ONE_DAY, convention, SOFIA) == 1
    # Also where the clock is changed: one of 25 hours.
    assert period_units(Period(at("2026-10-24T21:00Z"), at("2026-10-25T22:00Z")), convention, SOFIA) == 1


@pytest.mark.parametrize("convention", DAYS)
def test_a_period_inside_one_day_has_one_unit_too(convention: Convention) -> None:
    assert period_units(Period(NOW, NOW + timedelta(hours=3)), convention, SOFIA) == 1


def test_a_period_of_less_than_a_second_has_one_second() -> None:
    assert period_units(Period(NOW, NOW + timedelta(seconds=0.5)), Convention.SECOND, SOFIA) == 1
    assert period_units(Period(NOW, NOW + timedelta(seconds=1.9)), Convention.SECOND, SOFIA) == 1
    assert period_units(Period(NOW, NOW + timedelta(seconds=2)), Convention.SECOND, SOFIA) == 2


@pytest.mark.parametrize(
    ("convention", "refund"),
    [
        (Convention.ELAPSED_24H, 2000),
        (Convention.CALENDAR_DAY, 2000),
        (Convention.CALENDAR_DAY_INCLUSIVE, 0),
        (Convention.SECOND, 1000),
    ],
)
def test_a_day_that_is_half_over(convention: Convention, refund: int) -> None:
    line = prorate(charge(period=ONE_DAY), ONE_DAY.start + DAY / 2, RefundTerms(convention, SOFIA))
    assert line.refund.minor_units == refund


@pytest.mark.parametrize(
    ("convention", "at_first", "at_last"),
    [
        (Convention.ELAPSED_24H, 0, 29),
        (Convention.CALENDAR_DAY, 0, 29),
        (Convention.CALENDAR_DAY_INCLUSIVE, 1, 30),
        (Convention.SECOND, 0, 30 * 86_400 - 1),
    ],
)
def test_units_used_at_the_edges_of_a_period(convention: Convention, at_first: int, at_last: int) -> None:
    edges = (PERIOD.start - TICK, PERIOD.start, PERIOD.end - TICK, PERIOD.end)
    all_of_it = period_units(PERIOD, convention, SOFIA)
    assert [used_units(PERIOD, edge, convention, SOFIA) for edge in edges] == [0, at_first, at_last, all_of_it]


@pytest.mark.parametrize("convention", Convention)
def test_a_month_with_an_hour_less_is_used_up_at_its_end(convention: Convention) -> None:
    march = Period(at("2026-02-28T22:00Z"), at("2026-03-31T21:00Z"))
    assert used_units(march, march.end, convention, SOFIA) == period_units(march, convention, SOFIA)


def test_a_day_is_used_when_its_last_second_is() -> None:
    for hours, used in ((23.99, 0), (24, 1), (47.99, 1), (48, 2)):
        assert used_units(PERIOD, PERIOD.start + timedelta(hours=hours), Convention.ELAPSED_24H, SOFIA) == used


def test_a_full_refund_ends_at_its_hour_and_so_does_a_prorated_one() -> None:
    terms = RefundTerms(Convention.CALENDAR_DAY_INCLUSIVE, SOFIA, full_hours=48, prorated_hours=72)

    def refund(hours: int, before: timedelta = timedelta(0)) -> int:
        return prorate(charge(), PERIOD.start + timedelta(hours=hours) - before, terms).refund.minor_units

    assert (refund(48, TICK), refund(48), refund(72, TICK), refund(72)) == (2000, 1800, 1800, 0)


def status_around(facts: Snapshot, instant: Any) -> tuple[Status, Status]:
    return status_at(facts, instant - TICK), status_at(facts, instant)


def test_each_status_ends_at_the_instant_where_the_next_begins() -> None:
    scheduled = snapshot(cancellation=in_force(Mode.AT_PERIOD_END, PERIOD.end))
    assert status_around(scheduled, PERIOD.end) == (Status.CANCELING, Status.EXPIRED)
    assert status_around(scheduled, PERIOD.end + 30 * DAY) == (Status.EXPIRED, Status.DISABLED)
    assert status_around(scheduled, PERIOD.end + 120 * DAY) == (Status.DISABLED, Status.DELETED)
    immediate = snapshot(cancellation=in_force(Mode.IMMEDIATE, NOW))
    assert status_around(immediate, NOW) == (Status.CANCELING, Status.DISABLED)
    assert status_around(immediate, NOW + 90 * DAY) == (Status.DISABLED, Status.DELETED)
    ends = snapshot(renews=False)
    assert status_around(ends, PERIOD.end) == (Status.ACTIVE, Status.EXPIRED)


def test_at_the_instant_where_a_period_ends_the_next_is_the_current_one() -> None:
    assert current_period(snapshot(), PERIOD.end - TICK) == PERIOD
    assert current_period(snapshot(), PERIOD.end) == NEXT


@pytest.mark.parametrize(
    ("effective_at", "starts"),
    [
        (NOW, PERIOD.start),
        (PERIOD.end - TICK, PERIOD.start),
        # The row was not rolled yet.
        (PERIOD.end, PERIOD.end),
        (PERIOD.end + 3 * DAY, PERIOD.end),
        (NEXT.end + DAY, NEXT.end),
        # It was bought ahead, and never began.
        (PERIOD.start - DAY, PERIOD.start - DAY),
    ],
)
def test_canceled_at_once_its_last_period_ends_then_whenever_it_is_asked_for(
    effective_at: datetime, starts: datetime
) -> None:
    facts = snapshot(cancellation=in_force(Mode.IMMEDIATE, effective_at))
    for asked in (effective_at - timedelta(minutes=2), effective_at, effective_at + TICK, effective_at + 200 * DAY):
        assert current_period(facts, asked) == Period(starts, effective_at)


@pytest.mark.parametrize("last", [PERIOD, NEXT])
def test_canceled_for_the_end_of_its_period_that_is_its_last_one(last: Period) -> None:
    facts = snapshot(cancellation=in_force(Mode.AT_PERIOD_END, last.end))
    for asked in (last.start, last.end - TICK, last.end, last.end + 200 * DAY):
        assert current_period(facts, asked) == last


@pytest.mark.parametrize("given", [{"period": None}, {"term_months": None}])
def test_where_nobody_knows_the_period_canceling_makes_none_up(given: dict[str, Any]) -> None:
    facts = snapshot(cancellation=in_force(Mode.IMMEDIATE, PERIOD.end + DAY), **given)
    assert current_period(facts, PERIOD.end + DAY) is None


@pytest.mark.parametrize(
    ("canceled", "was_trial"),
    [
        (in_force(Mode.AT_PERIOD_END, PERIOD.end), True),
        (in_force(Mode.AT_PERIOD_END, NEXT.end), False),
        (in_force(Mode.IMMEDIATE, PERIOD.end - TICK), True),
        (in_force(Mode.IMMEDIATE, PERIOD.end), False),
    ],
)
def test_a_trial_that_had_converted_when_it_was_canceled_was_none_any_more(canceled: InForce, was_trial: bool) -> None:
    facts = snapshot(is_trial=True, cancellation=canceled)
    assert is_trial(facts, PERIOD.end + DAY) is was_trial
    assert is_trial(facts, PERIOD.end - TICK)


def test_a_trial_converts_at_the_instant_where_its_period_ends() -> None:
    trial = snapshot(is_trial=True)
    assert is_trial(trial, PERIOD.end - TICK)
    assert not is_trial(trial, PERIOD.end)


def test_undo_closes_at_its_instant() -> None:
    canceled = snapshot(cancellation=in_force(Mode.IMMEDIATE, NOW))
    undo_until = NOW + timedelta(hours=72)
    assert evaluate(canceled, undo_until - TICK).reason is Reason.UNDO_OPEN
    assert evaluate(canceled, undo_until).reason is Reason.ALREADY_CANCELED


def test_a_charge_that_ends_as_it_is_canceled_has_no_line() -> None:
    for end, lines in ((NOW, 0), (NOW + TICK, 1)):
        facts = snapshot(charges=(charge(period=Period(ONE_DAY.start - 3 * DAY, end), paid=1),))
        quote = evaluate(facts, NOW).quote(Mode.IMMEDIATE)
        assert quote
        assert (len(quote.lines), quote.no_refund_reason) == (lines, NoRefundReason.FULLY_USED)


def test_a_boundary_at_the_quote_was_seen_and_one_at_the_execution_was_not() -> None:
    for edge, crossed in ((NOW, False), (NOW + TICK, True), (NOW + DAY, True), (NOW + DAY + TICK, False)):
        for period in (Period(edge - 9 * DAY, edge), Period(edge, edge + 9 * DAY)):
            assert boundary_between(snapshot(charges=(charge(period=period),)), NOW, NOW + DAY) is crossed
