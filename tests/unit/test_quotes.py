"""What a quote says, example by example: its dates, when the money is due, and the amount that somebody agreed to."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from billing.money import Money
from billing.periods import Period
from billing.proration import Convention, NoRefundReason
from subscriptions.policy.decision import Route, evaluate
from subscriptions.policy.facts import Channel, Mode, OnBehalf, PolicyTerms, Snapshot, Status
from subscriptions.policy.quotes import Quote, agreed, effective, prorates, refundable
from subscriptions.policy.status import current_period, ends_by_itself
from tests.builders import NOW, PERIOD, at, charge, in_force, snapshot

TWENTIETH = Period(at("2026-11-19T22:00Z"), at("2026-12-19T22:00Z"))  # of November, in Sofia


def quoted(facts: Snapshot, mode: Mode = Mode.IMMEDIATE, now: datetime = NOW) -> Quote:
    quote = evaluate(facts, now).quote(mode)
    assert quote
    return quote


def test_a_quote_says_what_it_was_made_from() -> None:
    policy = PolicyTerms("Seconds", 7, id=9, convention=Convention.SECOND)
    quote = quoted(snapshot(assigned=7, still_covered=3, policy=policy))
    assert (quote.mode, quote.made_at, quote.priced_at) == (Mode.IMMEDIATE, NOW, NOW)
    assert (quote.affected_users, quote.users_still_covered) == (7, 3)
    assert (quote.policy_id, quote.policy_version, quote.convention) == (9, 7, Convention.SECOND)
    assert (quote.agreed, quote.by_rule) == (False, None)


def test_there_is_no_quote_for_a_mode_that_is_not_on_offer() -> None:
    assert evaluate(snapshot(renews=False), NOW).quote(Mode.AT_PERIOD_END) is None


def test_what_is_executed_later_takes_effect_later() -> None:
    executed = NOW + timedelta(minutes=20)
    done = effective(quoted(snapshot()), executed, PERIOD)
    assert (done.effective_at, done.access_ends_at) == (executed, executed)
    assert done.undo_until == executed + timedelta(hours=72)
    assert done.data_available_until == executed + timedelta(days=90)
    assert done.data_erased_by == executed + timedelta(days=180)
    assert effective(quoted(snapshot()), executed, Period(PERIOD.start, NOW + timedelta(hours=1))).undo_until == (
        NOW + timedelta(hours=1)
    )
    at_end = quoted(snapshot(), Mode.AT_PERIOD_END)
    assert effective(at_end, executed, PERIOD) == at_end


@pytest.mark.parametrize(
    ("facts", "mode", "expected"),
    [
        ({}, Mode.IMMEDIATE, True),
        ({}, Mode.AT_PERIOD_END, False),
        ({"channel": Channel.PREPAID}, Mode.IMMEDIATE, False),
        ({"is_trial": True, "period": None}, Mode.IMMEDIATE, False),
        ({"is_trial": True}, Mode.AT_PERIOD_END, False),
    ],
)
def test_only_what_is_paid_and_canceled_now_is_prorated(facts: dict[str, Any], mode: Mode, expected: bool) -> None:
    assert prorates(quoted(snapshot(**facts), mode), snapshot(**facts)) is expected


def test_a_trial_that_converted_is_prorated_from_then_on() -> None:
    trial = snapshot(is_trial=True)
    assert prorates(quoted(trial, now=PERIOD.end), trial)


@pytest.mark.parametrize(
    ("facts", "due"),
    [
        ({}, date(2026, 12, 31)),  # from the period: the 1st
        ({"anchored_at": at("2026-01-14T22:00Z")}, date(2027, 1, 14)),  # from the anchor: the 15th
        ({"period": None}, date(2027, 1, 19)),  # from the charge: the 20th
    ],
    ids=["period", "anchor", "charge"],
)
def test_the_billing_cycle_is_that_of_the_anchor_else_of_the_period_else_of_the_charge(
    facts: dict[str, Any], due: date
) -> None:
    assert quoted(snapshot(charges=(charge(period=TWENTIETH),), **facts)).refund_due_by == due


def test_the_days_of_a_quote_are_those_of_the_tenants_zone() -> None:
    # From half past midnight in Sofia, where it is still October in UTC, to the evening of 30 November.
    november = charge(period=Period(at("2026-10-31T22:30Z"), at("2026-11-30T21:30Z")))
    [line] = quoted(snapshot(charges=(november,))).lines
    assert line.period_units == 29


def test_a_quote_keeps_to_both_windows_of_the_policy() -> None:
    # 588 hours after the period began: 24 of 30 days are used.
    for full, prorated, refund in ((None, None, 400), (589, None, 2000), (588, 589, 400), (100, 588, None)):
        policy = PolicyTerms("Windows", 1, full_refund_hours=full, prorated_refund_hours=prorated)
        assert quoted(snapshot(policy=policy)).refund == (Money(refund, "EUR") if refund else None)


def test_a_decision_says_in_which_status_and_period_it_was_made() -> None:
    decision = evaluate(snapshot(base_status=Status.SUSPENDED), NOW)
    assert (decision.status, decision.period, decision.decided_at) == (Status.SUSPENDED, PERIOD, NOW)


@pytest.mark.parametrize("on_behalf", [None, OnBehalf()])
def test_staff_end_now_what_was_to_end_later_whatever_the_number_of_licenses(on_behalf: OnBehalf | None) -> None:
    scheduled = in_force(Mode.AT_PERIOD_END, PERIOD.end)
    decision = evaluate(snapshot(cancellation=scheduled, assigned=400), NOW, on_behalf)
    assert decision.option(Route.CANCEL_ONLINE).modes == ((Mode.IMMEDIATE,) if on_behalf else ())


@pytest.mark.parametrize(
    "facts", [{"renews": False}, {"cancellation": in_force(Mode.AT_PERIOD_END, PERIOD.end)}], ids=["ends", "canceled"]
)
def test_what_does_not_go_on_has_no_period_after_its_last(facts: dict[str, Any]) -> None:
    assert current_period(snapshot(**facts), PERIOD.end + timedelta(days=3)) == PERIOD


def test_what_ends_by_itself() -> None:
    assert ends_by_itself(snapshot(renews=False), NOW) == PERIOD.end
    assert ends_by_itself(snapshot(), NOW) is None
    assert ends_by_itself(snapshot(renews=False, period=None), NOW) is None
    scheduled = in_force(Mode.AT_PERIOD_END, PERIOD.end)
    assert ends_by_itself(snapshot(renews=False, cancellation=scheduled), NOW) is None


TWO = (charge(id=1, tax=400), charge(id=2, charged=1000, paid=1000, in_flight=300))


def test_an_agreed_amount_is_spread_by_what_each_charge_can_return() -> None:
    facts = snapshot(charges=TWO)
    by_rule = quoted(facts)
    quote = agreed(by_rule, 1500, facts)
    assert (quote.refund, quote.no_refund_reason) == (Money(1500, "EUR"), None)
    assert [line.refund for line in quote.lines] == [Money(1000, "EUR"), Money(500, "EUR")]
    assert [line.refund_tax for line in quote.lines] == [Money(200, "EUR"), Money(0, "EUR")]
    assert [(line.reason, line.line_reason) for line in quote.lines] == [(None, None), (None, None)]
    assert (quote.agreed, quote.by_rule, quote.refund_due_by) == (True, by_rule.refund, by_rule.refund_due_by)
    # A payment that arrives later returns nothing more.
    assert (by_rule.pending_charges, quote.pending_charges) == ((Money(300, "EUR"),), ())
    assert refundable(by_rule, facts) == 3000


def test_of_one_cent_one_charge_returns_nothing_because_that_was_agreed() -> None:
    facts = snapshot(charges=TWO)
    quote = agreed(quoted(facts), 1, facts)
    assert [(line.refund.minor_units, line.reason) for line in quote.lines] == [(1, None), (0, NoRefundReason.AGREED)]


def test_nothing_agreed_is_said_as_that() -> None:
    facts = snapshot()
    quote = agreed(quoted(facts), 0, facts)
    assert (quote.refund, quote.no_refund_reason, quote.refund_due_by) == (None, NoRefundReason.AGREED, None)
    assert [(line.refund, line.reason) for line in quote.lines] == [(Money(0, "EUR"), NoRefundReason.AGREED)]
    assert quote.by_rule == Money(400, "EUR")


@pytest.mark.parametrize("period", [PERIOD, None])
def test_where_nothing_was_charged_nothing_can_be_agreed(period: Period | None) -> None:
    facts = snapshot(charges=(), period=period)
    quote = agreed(quoted(facts), 0, facts)
    assert (quote.lines, quote.refund, quote.no_refund_reason) == ((), None, NoRefundReason.AGREED)


@pytest.mark.parametrize("period", [PERIOD, None])
def test_an_amount_where_the_rules_give_none_is_due_like_any_other(period: Period | None) -> None:
    facts = snapshot(period=period, policy=PolicyTerms("Short", 1, prorated_refund_hours=24))
    by_rule = quoted(facts)
    assert by_rule.refund is None
    quote = agreed(by_rule, 700, facts)
    assert (quote.refund, quote.by_rule, quote.refund_due_by) == (Money(700, "EUR"), None, date(2026, 12, 31))
