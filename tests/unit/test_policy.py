"""The rules of canceling, row by row, and what must hold whatever the facts are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money
from billing.periods import Period
from billing.proration import Convention, LineReason, NoRefundReason
from subscriptions.policy.decision import Reason, Route, evaluate, users_to_remove
from subscriptions.policy.facts import Channel, Mode, OnBehalf, PolicyTerms, Snapshot, Status
from subscriptions.policy.quotes import Quote, agreed, boundary_between, effective, refundable
from subscriptions.policy.status import current_period, ends_by_itself, status_at
from tests.builders import NOW, PERIOD, SOFIA, at, charge, in_force, snapshot

SCHEDULED = in_force(Mode.AT_PERIOD_END, PERIOD.end)
JUST_CANCELED = in_force(Mode.IMMEDIATE, NOW - timedelta(hours=1))
LONG_CANCELED = in_force(Mode.IMMEDIATE, NOW - timedelta(days=10))
TRIAL = {"is_trial": True, "charges": ()}
DECEMBER = Period(PERIOD.end, at("2026-12-31T22:00Z"))

ROWS: list[tuple[str, dict[str, Any], Reason, set[Route]]] = [
    ("1 canceled, undo open", {"cancellation": JUST_CANCELED}, Reason.UNDO_OPEN, {Route.UNDO_CANCELLATION}),
    (
        "1 at period end, under the limit",
        {"cancellation": SCHEDULED},
        Reason.UNDO_OPEN,
        {Route.UNDO_CANCELLATION, Route.CANCEL_ONLINE},
    ),
    (
        "1 at period end, over the limit",
        {"cancellation": SCHEDULED, "assigned": 25},
        Reason.UNDO_OPEN,
        {Route.UNDO_CANCELLATION},
    ),
    ("2 canceled, undo closed", {"cancellation": LONG_CANCELED}, Reason.ALREADY_CANCELED, {Route.NOTHING_TO_CANCEL}),
    ("3 expired", {"base_status": Status.EXPIRED}, Reason.ALREADY_ENDED, {Route.NOTHING_TO_CANCEL}),
    ("3 disabled", {"base_status": Status.DISABLED}, Reason.ALREADY_ENDED, {Route.NOTHING_TO_CANCEL}),
    ("3 deleted", {"base_status": Status.DELETED}, Reason.ALREADY_ENDED, {Route.NOTHING_TO_CANCEL}),
    (
        "3 ended by itself",
        {"renews": False, "period": Period(PERIOD.start, NOW - timedelta(days=1))},
        Reason.ALREADY_ENDED,
        {Route.NOTHING_TO_CANCEL},
    ),
    (
        "4 partner",
        {"channel": Channel.PARTNER, "partner_name": "Fabrikam"},
        Reason.PARTNER_MANAGED,
        {Route.CONTACT_PARTNER},
    ),
    ("4 partner, trial", {"channel": Channel.PARTNER, **TRIAL}, Reason.PARTNER_MANAGED, {Route.CONTACT_PARTNER}),
    (
        "5 trial without a payment method",
        {**TRIAL, "has_payment_method": False},
        Reason.TRIAL_EXPIRES_BY_ITSELF,
        {Route.NOTHING_TO_CANCEL},
    ),
    (
        "5 trial that does not renew",
        {**TRIAL, "renews": False},
        Reason.TRIAL_EXPIRES_BY_ITSELF,
        {Route.NOTHING_TO_CANCEL},
    ),
    ("6 trial that converts", TRIAL, Reason.TRIAL_CONVERTS, {Route.CANCEL_ONLINE}),
    ("6 nobody knows", {**TRIAL, "has_payment_method": None}, Reason.TRIAL_CONVERTS, {Route.CANCEL_ONLINE}),
    ("6 ignores the limit", {**TRIAL, "assigned": 400}, Reason.TRIAL_CONVERTS, {Route.CANCEL_ONLINE}),
    ("7 none assigned", {"assigned": 0}, Reason.UNDER_LIMIT, {Route.CANCEL_ONLINE}),
    ("7 24 assigned", {"assigned": 24}, Reason.UNDER_LIMIT, {Route.CANCEL_ONLINE}),
    ("7 shared", {"shares_licenses": True}, Reason.UNDER_LIMIT, {Route.CANCEL_ONLINE, Route.REQUEST_CALLBACK}),
    (
        "8 shared",
        {"shares_licenses": True, "assigned": 25},
        Reason.LICENSES_AT_OR_OVER_LIMIT,
        {Route.REMOVE_USERS, Route.REQUEST_CALLBACK},
    ),
    (
        "6 shared",
        {**TRIAL, "shares_licenses": True},
        Reason.TRIAL_CONVERTS,
        {Route.CANCEL_ONLINE},
    ),
    (
        "4 shared",
        {"channel": Channel.PARTNER, "shares_licenses": True},
        Reason.PARTNER_MANAGED,
        {Route.CONTACT_PARTNER},
    ),
    ("7 suspended", {"base_status": Status.SUSPENDED}, Reason.UNDER_LIMIT, {Route.CANCEL_ONLINE}),
    (
        "8 25 assigned",
        {"assigned": 25},
        Reason.LICENSES_AT_OR_OVER_LIMIT,
        {Route.REMOVE_USERS, Route.REQUEST_CALLBACK},
    ),
    (
        "8 only groups",
        {"assigned": 30, "removable": 5, "by_group": 25, "group_names": ("Sales",)},
        Reason.LICENSES_AT_OR_OVER_LIMIT,
        {Route.REQUEST_CALLBACK},
    ),
    (
        "8 suspended",
        {"base_status": Status.SUSPENDED, "assigned": 25},
        Reason.LICENSES_AT_OR_OVER_LIMIT,
        {Route.REMOVE_USERS, Route.REQUEST_CALLBACK},
    ),
    (
        "8a 25 assigned, one on its way",
        {"assigned": 25, "pending": 1},
        Reason.REMOVALS_PENDING,
        {Route.REMOVE_USERS, Route.REQUEST_CALLBACK},
    ),
    ("8a comes after 7", {"assigned": 24, "pending": 3}, Reason.UNDER_LIMIT, {Route.CANCEL_ONLINE}),
    ("8a comes after 6", {**TRIAL, "assigned": 25, "pending": 1}, Reason.TRIAL_CONVERTS, {Route.CANCEL_ONLINE}),
    (
        "8a only groups stay",
        {"assigned": 25, "pending": 1, "removable": 1, "by_group": 24, "group_names": ("Sales",)},
        Reason.REMOVALS_PENDING,
        {Route.REMOVE_USERS, Route.REQUEST_CALLBACK},
    ),
    (
        "8 too few on their way, the rest by groups",
        {"assigned": 27, "pending": 1, "removable": 1, "by_group": 26, "group_names": ("Sales",)},
        Reason.LICENSES_AT_OR_OVER_LIMIT,
        {Route.REQUEST_CALLBACK},
    ),
    (
        "1 at period end, over the limit until removals are confirmed",
        {"cancellation": SCHEDULED, "assigned": 25, "pending": 1},
        Reason.UNDO_OPEN,
        {Route.UNDO_CANCELLATION},
    ),
    (
        "1 at period end, removals trusted",
        {
            "cancellation": SCHEDULED, "assigned": 25, "pending": 1,
            "policy": PolicyTerms("Trusting", 1, count_requested_removals=True),
        },
        Reason.UNDO_OPEN,
        {Route.UNDO_CANCELLATION, Route.CANCEL_ONLINE},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "reason", "available"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_rows(facts: dict[str, Any], reason: Reason, available: set[Route]) -> None:
    decision = evaluate(snapshot(**facts), NOW)
    assert decision.reason is reason
    assert {option.route for option in decision.options if option.available} == available
    assert {option.route for option in decision.options} == set(Route)
    for option in decision.options:
        only_groups = option.reason is Reason.ONLY_GROUP_LICENSES and option.route is Route.REMOVE_USERS
        assert option.reason is reason or only_groups


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"cancellation": SCHEDULED}, [Route.UNDO_CANCELLATION, Route.CANCEL_ONLINE]),
        ({"assigned": 30}, [Route.REMOVE_USERS, Route.REQUEST_CALLBACK]),
        ({"assigned": 30, "removable": 0}, [Route.REQUEST_CALLBACK]),
        ({}, [Route.CANCEL_ONLINE]),
        ({"shares_licenses": True}, [Route.CANCEL_ONLINE, Route.REQUEST_CALLBACK]),
        ({"shares_licenses": True, "assigned": 30, "removable": 0}, [Route.REQUEST_CALLBACK]),
    ],
)
def test_the_open_routes_come_first_in_the_order_to_show_them(facts: dict[str, Any], shown: list[Route]) -> None:
    decision = evaluate(snapshot(**facts), NOW)
    assert [option.route for option in decision.options[: len(shown)]] == shown
    assert decision.route is shown[0]


@pytest.mark.parametrize(
    ("assigned", "inclusive", "to_remove"),
    [(24, False, 0), (25, False, 1), (26, False, 2), (300, False, 276), (24, True, 0), (25, True, 0), (26, True, 1)],
)
def test_exactly_25_both_ways(assigned: int, inclusive: bool, to_remove: int) -> None:
    # The page: "fewer than 25" may; later versions: "25 or fewer". Cases 1 and 4.
    facts = snapshot(assigned=assigned, policy=PolicyTerms("Default", 1, limit_is_inclusive=inclusive))
    decision = evaluate(facts, NOW)
    assert users_to_remove(facts) == to_remove
    assert decision.option(Route.CANCEL_ONLINE).available is (to_remove == 0)
    assert decision.option(Route.REMOVE_USERS).users_to_remove == (to_remove or None)


OPEN, WAITS, OVER = Reason.UNDER_LIMIT, Reason.REMOVALS_PENDING, Reason.LICENSES_AT_OR_OVER_LIMIT


@pytest.mark.parametrize(
    ("inclusive", "assigned", "by_pending"),
    [
        # The reason and how many more to remove, with 0, 1, 2 and 3 on their way.
        (False, 24, [(OPEN, None), (OPEN, None), (OPEN, None), (OPEN, None)]),
        (False, 25, [(OVER, 1), (WAITS, 0), (WAITS, 0), (WAITS, 0)]),
        (False, 26, [(OVER, 2), (OVER, 1), (WAITS, 0), (WAITS, 0)]),
        (True, 24, [(OPEN, None), (OPEN, None), (OPEN, None), (OPEN, None)]),
        (True, 25, [(OPEN, None), (OPEN, None), (OPEN, None), (OPEN, None)]),
        (True, 26, [(OVER, 1), (WAITS, 0), (WAITS, 0), (WAITS, 0)]),
    ],
)
def test_removals_on_their_way_both_ways(
    assigned: int, inclusive: bool, by_pending: list[tuple[Reason, int | None]]
) -> None:
    strict = PolicyTerms("Default", 1, limit_is_inclusive=inclusive)
    for pending, (reason, to_remove) in enumerate(by_pending):
        facts = snapshot(assigned=assigned, pending=pending, policy=strict)
        decision = evaluate(facts, NOW)
        online, removal = decision.option(Route.CANCEL_ONLINE), decision.option(Route.REMOVE_USERS)
        assert decision.reason is online.reason is reason
        assert (online.available, removal.users_to_remove) == (reason is OPEN, to_remove)
        assert decision.route is (Route.CANCEL_ONLINE if reason is OPEN else Route.REMOVE_USERS)
        assert decision.option(Route.REQUEST_CALLBACK).available is (reason is not OPEN)
        trusting = evaluate(replace(facts, policy=replace(strict, count_requested_removals=True)), NOW)
        assert trusting.reason is (OPEN if reason is WAITS else reason)


def test_removal_is_offered_only_where_it_can_open_the_way() -> None:
    enough = evaluate(snapshot(assigned=30, removable=6, by_group=24), NOW)
    too_few = evaluate(snapshot(assigned=30, removable=5, by_group=25), NOW)
    assert enough.option(Route.REMOVE_USERS).available
    option = too_few.option(Route.REMOVE_USERS)
    assert (option.available, option.reason, option.users_to_remove) == (False, Reason.ONLY_GROUP_LICENSES, 6)


def test_staff_lift_the_limit() -> None:
    decision = evaluate(snapshot(assigned=400), NOW, OnBehalf())
    assert decision.reason is Reason.UNDER_LIMIT
    assert {quote.mode for quote in decision.quotes} == set(Mode)


def quotes(**facts: Any) -> dict[Mode, Quote]:
    return {q.mode: q for q in evaluate(snapshot(**facts), NOW).quotes}


@pytest.mark.parametrize(
    ("facts", "modes"),
    [
        ({}, {Mode.IMMEDIATE, Mode.AT_PERIOD_END}),
        ({"renews": False}, {Mode.IMMEDIATE}),
        ({"period": None}, {Mode.IMMEDIATE}),
        (TRIAL, {Mode.AT_PERIOD_END}),
        ({**TRIAL, "period": None}, {Mode.IMMEDIATE}),
        ({"cancellation": SCHEDULED}, {Mode.IMMEDIATE}),
        ({"cancellation": JUST_CANCELED}, set()),
    ],
)
def test_modes_on_offer(facts: dict[str, Any], modes: set[Mode]) -> None:
    assert set(quotes(**facts)) == modes


def test_it_already_ends_by_itself() -> None:
    assert ends_by_itself(snapshot(renews=False), NOW) == PERIOD.end
    assert ends_by_itself(snapshot(), NOW) is None


def test_now_and_at_the_end_are_two_quotes_with_two_dates() -> None:
    # Case 16. 24 of 30 days used in Sofia: 2000 * 24 / 30 = 1600.
    now, end = quotes()[Mode.IMMEDIATE], quotes()[Mode.AT_PERIOD_END]
    assert (now.effective_at, end.effective_at) == (NOW, PERIOD.end)
    assert (now.refund, end.refund) == (Money(400, "EUR"), None)
    assert end.no_refund_reason is NoRefundReason.PERIOD_END
    assert now.refund_due_by == date(2026, 12, 31)
    assert now.expires_at == NOW + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("facts", "mode", "reason"),
    [
        ({}, Mode.AT_PERIOD_END, NoRefundReason.PERIOD_END),
        (TRIAL, Mode.AT_PERIOD_END, NoRefundReason.TRIAL),
        ({"channel": Channel.PREPAID}, Mode.IMMEDIATE, NoRefundReason.PREPAID),
        (
            {"policy": PolicyTerms("Short", 1, prorated_refund_hours=24)},
            Mode.IMMEDIATE,
            NoRefundReason.WINDOW_CLOSED,
        ),
        (
            {
                "policy": PolicyTerms("Day", 1, convention=Convention.CALENDAR_DAY_INCLUSIVE),
                "charges": (charge(period=Period(PERIOD.start, NOW + timedelta(hours=2))),),
            },
            Mode.IMMEDIATE,
            NoRefundReason.FULLY_USED,
        ),
        ({"charges": (charge(refunded=2000),)}, Mode.IMMEDIATE, NoRefundReason.ALREADY_REFUNDED),
        ({"charges": (charge(paid=0),)}, Mode.IMMEDIATE, NoRefundReason.NOTHING_SETTLED),
        # Free of charge, or corrected away: nothing is waited for.
        ({"charges": (charge(charged=0, paid=0, tax=0),)}, Mode.IMMEDIATE, NoRefundReason.NOTHING_CHARGED),
        (
            {"charges": (charge(charged=0, paid=0, tax=0), charge(id=2, paid=0))},
            Mode.IMMEDIATE,
            NoRefundReason.NOTHING_SETTLED,
        ),
        ({"charges": ()}, Mode.IMMEDIATE, NoRefundReason.NO_CHARGE_ON_RECORD),
        # There are charges, and all of them are over.
        ({"charges": (charge(period=Period(PERIOD.start, NOW)),)}, Mode.IMMEDIATE, NoRefundReason.FULLY_USED),
        ({"charges": (), "charged_before": True}, Mode.IMMEDIATE, NoRefundReason.FULLY_USED),
        ({"charges": (charge(disputed=2000),)}, Mode.IMMEDIATE, NoRefundReason.DISPUTED),
        ({"charges": (charge(), charge(period=DECEMBER, disputed=2000))}, Mode.AT_PERIOD_END, NoRefundReason.DISPUTED),
        (
            {"charges": (charge(), charge(period=DECEMBER, refunded=2000))},
            Mode.AT_PERIOD_END,
            NoRefundReason.ALREADY_REFUNDED,
        ),
        # Nobody can use what was paid until then where nothing was.
        ({"charges": (charge(paid=0),)}, Mode.AT_PERIOD_END, NoRefundReason.NOTHING_SETTLED),
        ({"charges": (charge(paid=0, in_flight=2000),)}, Mode.AT_PERIOD_END, NoRefundReason.NOTHING_SETTLED),
        ({"charges": (), "charged_before": True}, Mode.AT_PERIOD_END, NoRefundReason.NOTHING_SETTLED),
        (
            {"charges": (charge(period=DECEMBER, paid=0),), "charged_before": True},
            Mode.AT_PERIOD_END,
            NoRefundReason.NOTHING_SETTLED,
        ),
        ({"charges": (charge(paid=1),)}, Mode.AT_PERIOD_END, NoRefundReason.PERIOD_END),
        ({"charges": (charge(charged=0),)}, Mode.AT_PERIOD_END, NoRefundReason.PERIOD_END),
        ({"charges": (charge(), charge(period=DECEMBER, paid=0))}, Mode.AT_PERIOD_END, NoRefundReason.PERIOD_END),
        ({"charges": ()}, Mode.AT_PERIOD_END, NoRefundReason.PERIOD_END),
        ({"channel": Channel.PREPAID, "charges": (charge(paid=0),)}, Mode.AT_PERIOD_END, NoRefundReason.PREPAID),
    ],
)
def test_why_nothing_comes_back_is_always_said(facts: dict[str, Any], mode: Mode, reason: NoRefundReason) -> None:
    quote = quotes(**facts)[mode]
    assert (quote.refund, quote.no_refund_reason, quote.refund_due_by) == (None, reason, None)


def test_every_reason_is_tested_above() -> None:
    marks = test_why_nothing_comes_back_is_always_said.pytestmark  # type: ignore[attr-defined]
    assert {case[2] for case in marks[0].args[1]} == set(NoRefundReason) - {NoRefundReason.AGREED}


def test_seats_added_later_are_a_line_of_their_own_period() -> None:
    added = charge(id=2, charged=1000, period=Period(at("2026-11-20T22:00Z"), PERIOD.end))
    quote = quotes(charges=(charge(), added))[Mode.IMMEDIATE]
    assert [(line.used_units, line.period_units) for line in quote.lines] == [(24, 30), (4, 10)]
    assert quote.refund == Money(400 + 600, "EUR")


def test_a_charge_that_has_not_begun_comes_back_whole_in_both_modes() -> None:
    next_month = charge(id=2, period=Period(PERIOD.end, at("2026-12-31T22:00Z")))
    found = quotes(charges=(charge(), next_month))
    assert found[Mode.IMMEDIATE].refund == Money(400 + 2000, "EUR")
    assert found[Mode.AT_PERIOD_END].refund == Money(2000, "EUR")
    assert found[Mode.AT_PERIOD_END].no_refund_reason is None


def test_a_payment_in_flight_is_listed() -> None:
    quote = quotes(charges=(charge(paid=0, in_flight=2000),))[Mode.IMMEDIATE]
    assert quote.pending_charges == (Money(2000, "EUR"),)
    assert quote.no_refund_reason is NoRefundReason.NOTHING_SETTLED


def test_dates_after_canceling_now() -> None:
    quote = quotes(period=Period(PERIOD.start, NOW + timedelta(days=30)))[Mode.IMMEDIATE]
    assert quote.access_ends_at == NOW
    assert quote.data_available_until == NOW + timedelta(days=90)
    assert quote.data_erased_by == NOW + timedelta(days=180)
    assert quote.undo_until == NOW + timedelta(hours=72)


def test_undo_closes_with_the_period() -> None:
    assert quotes(period=Period(PERIOD.start, NOW + timedelta(hours=5)))[Mode.IMMEDIATE].undo_until == NOW + timedelta(
        hours=5
    )


def test_dates_after_canceling_at_the_end() -> None:
    quote = quotes()[Mode.AT_PERIOD_END]
    assert quote.access_ends_at == PERIOD.end
    assert quote.data_available_until == PERIOD.end + timedelta(days=120)
    assert quote.data_erased_by == PERIOD.end + timedelta(days=180)
    assert quote.undo_until == PERIOD.end


@pytest.mark.parametrize(
    ("facts", "later", "status"),
    [
        ({"cancellation": SCHEDULED}, timedelta(0), Status.CANCELING),
        ({"cancellation": SCHEDULED}, timedelta(days=6), Status.EXPIRED),
        ({"cancellation": SCHEDULED}, timedelta(days=36), Status.DISABLED),
        ({"cancellation": SCHEDULED}, timedelta(days=126), Status.DELETED),
        ({"cancellation": JUST_CANCELED}, timedelta(0), Status.DISABLED),
        ({"cancellation": JUST_CANCELED}, timedelta(days=90), Status.DELETED),
        ({**TRIAL, "has_payment_method": False}, timedelta(days=6), Status.EXPIRED),
        ({**TRIAL, "has_payment_method": False}, timedelta(days=36), Status.DISABLED),
        ({"renews": False}, timedelta(days=6), Status.EXPIRED),
        ({}, timedelta(days=6), Status.ACTIVE),
        (TRIAL, timedelta(days=6), Status.ACTIVE),
        ({"base_status": Status.SUSPENDED}, timedelta(days=6), Status.SUSPENDED),
        ({"base_status": Status.EXPIRED, "renews": False}, timedelta(days=400), Status.EXPIRED),
    ],
)
def test_the_status_moves_with_the_time(facts: dict[str, Any], later: timedelta, status: Status) -> None:
    assert status_at(snapshot(**facts), NOW + later) is status


def test_a_renewing_period_rolls_by_its_term_without_drift() -> None:
    january = Period(at("2024-01-30T22:00Z"), at("2024-02-28T22:00Z"))
    facts = snapshot(period=january)
    assert current_period(facts, at("2024-02-28T22:00Z")) == Period(at("2024-02-28T22:00Z"), at("2024-03-30T22:00Z"))
    assert current_period(facts, at("2024-04-10T10:00Z")).end == at("2024-04-29T21:00Z")  # type: ignore[union-attr]
    # Read back from February, the anchor still says 31.
    february = snapshot(period=Period(at("2024-02-28T22:00Z"), at("2024-03-30T22:00Z")), anchored_at=january.start)
    assert current_period(february, at("2024-04-10T10:00Z")).end == at("2024-04-29T21:00Z")  # type: ignore[union-attr]


def test_a_trial_that_converted_is_no_trial_any_more() -> None:
    decision = evaluate(snapshot(**TRIAL), PERIOD.end + timedelta(days=1))
    assert (decision.is_trial, decision.reason) == (False, Reason.UNDER_LIMIT)


def test_case_26_no_stray_credit_at_period_end() -> None:
    year = Period(at("2013-01-20T07:30:42Z"), at("2014-01-20T07:30:42Z"))
    facts = snapshot(period=year, term_months=12, charges=(charge(period=year, charged=3990),))
    quote = evaluate(facts, at("2013-06-01T00:00Z")).quote(Mode.AT_PERIOD_END)
    assert quote
    assert (quote.effective_at, quote.refund) == (year.end, None)


@pytest.mark.parametrize("paid", [{"paid": 0}, {"paid": 1000}, {"refunded": 500}, {"in_flight": 5, "paid": 0}])
def test_case_17_period_end_gives_nothing_back_whatever_was_paid(paid: dict[str, int]) -> None:
    march = Period(at("2026-02-28T22:00Z"), at("2026-03-31T21:00Z"))
    facts = snapshot(period=march, charges=(charge(period=march, **paid),))
    quote = evaluate(facts, at("2026-03-10T10:00Z")).quote(Mode.AT_PERIOD_END)
    assert quote
    assert (quote.effective_at, quote.refund) == (march.end, None)


@pytest.mark.parametrize("convention", Convention)
@pytest.mark.parametrize("window", [None, 0])
def test_what_begins_at_the_end_of_the_period_comes_back_whole_by_every_convention(
    convention: Convention, window: int | None
) -> None:
    march = Period(at("2026-02-28T22:00Z"), at("2026-03-31T21:00Z"))
    april = Period(march.end, at("2026-04-30T21:00Z"))
    charges = (charge(id=1, period=march), charge(id=2, period=april, charged=3000))
    policy = PolicyTerms("Any", 1, convention=convention, prorated_refund_hours=window)
    facts = snapshot(period=march, charges=charges, policy=policy)
    quote = evaluate(facts, at("2026-03-10T10:00Z")).quote(Mode.AT_PERIOD_END)
    assert quote
    assert quote.refund == Money(3000, "EUR")
    assert [line.line_reason for line in quote.lines] == [LineReason.NOT_BEGUN]
    unpaid = snapshot(period=march, charges=(charge(period=april, paid=0),), policy=policy)
    quote = evaluate(unpaid, at("2026-03-10T10:00Z")).quote(Mode.AT_PERIOD_END)
    assert quote
    assert [(line.reason, line.line_reason) for line in quote.lines] == [
        (NoRefundReason.NOTHING_SETTLED, LineReason.NOT_BEGUN)
    ]


@pytest.mark.parametrize(
    ("now", "crossed"),
    [
        (NOW, False),
        (NOW + timedelta(minutes=29), False),
        (PERIOD.end, True),
        (PERIOD.end - timedelta(seconds=1), False),
    ],
)
def test_a_period_boundary_between_quote_and_execution(now: datetime, crossed: bool) -> None:
    assert boundary_between(snapshot(), NOW, now) is crossed


INSTANTS = st.datetimes(datetime(2025, 6, 1), datetime(2027, 6, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    start = draw(INSTANTS)
    period = Period(start, start + timedelta(days=draw(st.integers(1, 400)), seconds=draw(st.integers(0, 86399))))
    assigned = draw(st.integers(0, 60))
    removable = draw(st.integers(0, assigned))
    charged = draw(st.integers(0, 10**7))
    paid = draw(st.integers(0, charged))
    charges = draw(
        st.lists(
            st.builds(
                lambda offset, refunded: charge(
                    period=Period(period.start + timedelta(days=offset), period.end + timedelta(days=offset + 1)),
                    charged=charged,
                    paid=paid,
                    refunded=min(refunded, paid),
                ),
                st.integers(-20, 500),
                st.integers(0, 10**7),
            ),
            max_size=3,
        )
    )
    canceled_at = draw(INSTANTS)
    cancellation = draw(
        st.sampled_from([None, None, in_force(Mode.IMMEDIATE, canceled_at), in_force(Mode.AT_PERIOD_END, period.end)])
    )
    return snapshot(
        base_status=draw(st.sampled_from([s for s in Status if s is not Status.CANCELING])),
        is_trial=draw(st.booleans()),
        channel=draw(st.sampled_from(Channel)),
        renews=draw(st.booleans()),
        has_payment_method=draw(st.sampled_from([True, False, None])),
        shares_licenses=draw(st.booleans()),
        period=draw(st.sampled_from([period, period, None])),
        term_months=draw(st.sampled_from([1, 12, None])),
        assigned=assigned,
        removable=removable,
        by_group=assigned - removable,
        pending=draw(st.integers(0, removable)),
        charges=tuple(charges),
        cancellation=cancellation,
        policy=PolicyTerms(
            "Any",
            1,
            limit_is_inclusive=draw(st.booleans()),
            count_requested_removals=draw(st.booleans()),
            convention=draw(st.sampled_from(Convention)),
            full_refund_hours=draw(st.none() | st.integers(0, 1000)),
            prorated_refund_hours=draw(st.none() | st.integers(0, 1000)),
        ),
    )


@given(snapshots(), INSTANTS)
def test_there_is_always_a_way_and_every_route_is_listed(facts: Snapshot, now: datetime) -> None:
    decision = evaluate(facts, now)
    assert decision.options[0].available
    assert sorted(option.route for option in decision.options) == sorted(Route)
    online = decision.option(Route.CANCEL_ONLINE)
    assert online.available is bool(online.modes)


@given(snapshots(), INSTANTS)
def test_removals_on_their_way_by_the_table(facts: Snapshot, now: datetime) -> None:
    """Rows 7, 8a and 8, from the table's words alone."""
    decision, terms = evaluate(facts, now), facts.policy
    if decision.reason not in (OPEN, WAITS, OVER):
        return

    def is_under(count: int) -> bool:
        return count < terms.online_license_limit or (terms.limit_is_inclusive and count == terms.online_license_limit)

    confirmed = facts.assigned - facts.pending
    if is_under(confirmed if terms.count_requested_removals else facts.assigned):
        assert decision.reason is OPEN
    elif is_under(confirmed):
        assert (decision.reason, decision.option(Route.REMOVE_USERS).users_to_remove) == (WAITS, 0)
    else:
        assert decision.reason is OVER
        more = decision.option(Route.REMOVE_USERS).users_to_remove
        assert more
        assert is_under(confirmed - more)
        assert not is_under(confirmed - more + 1)


@given(snapshots(), INSTANTS)
def test_what_is_confirmed_never_closes_a_way_nor_a_refusal_opens_one(facts: Snapshot, now: datetime) -> None:
    if not facts.pending:
        return
    one = {"pending": facts.pending - 1}
    confirmed = replace(facts, assigned=facts.assigned - 1, removable=facts.removable - 1, **one)
    openings = [
        evaluate(f, now).option(Route.CANCEL_ONLINE).available for f in (replace(facts, **one), facts, confirmed)
    ]
    assert openings == sorted(openings)


@given(snapshots(), INSTANTS, st.sampled_from([None, OnBehalf()]))
def test_preview_equals_execution(facts: Snapshot, now: datetime, on_behalf: OnBehalf | None) -> None:
    first = evaluate(facts, now, on_behalf)
    assert evaluate(facts, now, on_behalf) == first
    for quote in first.quotes:
        assert effective(quote, now, first.period) == quote


@given(snapshots(), INSTANTS, st.timedeltas(timedelta(minutes=-90), timedelta(minutes=30)))
def test_no_clock_makes_it_sooner_than_promised(facts: Snapshot, made_at: datetime, apart: timedelta) -> None:
    decision, now = evaluate(facts, made_at), made_at + apart
    crossed = boundary_between(facts, made_at, now)
    assert crossed is boundary_between(facts, now, made_at)
    for quote in decision.quotes:
        done = effective(quote, now, decision.period)
        assert done.effective_at >= max(quote.effective_at, quote.priced_at)
        assert done.undo_until >= quote.undo_until
        if not crossed:
            # The other clock offers the same, in the same period.
            [other] = [again for again in evaluate(facts, now).quotes if again.mode is quote.mode]
            assert done.effective_at <= done.undo_until
            assert other.effective_at == (now if quote.mode is Mode.IMMEDIATE else quote.effective_at)


@given(st.timedeltas(timedelta(days=-2), timedelta(days=2)), st.timedeltas(timedelta(days=-2), timedelta(days=2)))
def test_a_boundary_is_seen_from_either_side(one: timedelta, other: timedelta) -> None:
    facts = snapshot(charges=())
    before, after = sorted((PERIOD.end + one, PERIOD.end + other))
    crossed = before < PERIOD.end <= after
    assert boundary_between(facts, before, after) is boundary_between(facts, after, before) is crossed


@given(snapshots(), INSTANTS)
def test_quotes_keep_their_promises(facts: Snapshot, now: datetime) -> None:
    for quote in evaluate(facts, now).quotes:
        # Case 18: never before what was promised.
        assert quote.effective_at >= now
        assert quote.effective_at <= quote.undo_until
        assert quote.access_ends_at <= quote.data_available_until <= quote.data_erased_by
        assert (quote.refund is None) is (quote.no_refund_reason is not None)
        returned = sum(line.refund.minor_units for line in quote.lines)
        assert returned == (quote.refund.minor_units if quote.refund else 0)
        if quote.refund:
            assert quote.refund_due_by
            assert quote.refund_due_by > now.astimezone(SOFIA).date()


@given(snapshots(), INSTANTS, st.timedeltas(timedelta(0), timedelta(days=90)))
def test_waiting_for_our_call_never_costs_the_customer(facts: Snapshot, now: datetime, waited: timedelta) -> None:
    in_time = evaluate(facts, now, OnBehalf())
    asked = evaluate(facts, now, OnBehalf(now - waited))
    assert [option.route for option in asked.options] == [option.route for option in in_time.options]
    for before, after in zip(asked.quotes, in_time.quotes, strict=True):
        assert (before.effective_at, before.undo_until, before.expires_at) == (
            after.effective_at, after.undo_until, after.expires_at,
        )  # fmt: skip
        if facts.policy.prorated_refund_hours is None:
            assert minor(before.refund) >= minor(after.refund)
    # Never from later than the cancellation itself.
    assert evaluate(facts, now, OnBehalf(now + waited)) == in_time


def minor(money: Money | None) -> int:
    return money.minor_units if money else 0


@given(snapshots(), INSTANTS, st.floats(0, 1))
def test_an_agreed_amount_is_spread_over_what_each_charge_can_return(
    facts: Snapshot, now: datetime, share: float
) -> None:
    numbered = tuple(replace(charge, id=n) for n, charge in enumerate(facts.for_quotes.charges))
    facts = replace(facts, for_quotes=replace(facts.for_quotes, charges=numbered))
    for quote in evaluate(facts, now, OnBehalf()).quotes:
        amount = int(refundable(quote, facts) * share)
        settled_on = agreed(quote, amount, facts)
        assert minor(settled_on.refund) == amount == sum(line.refund.minor_units for line in settled_on.lines)
        assert (settled_on.agreed, settled_on.by_rule) == (True, quote.refund)
        assert (settled_on.refund is None) is (settled_on.no_refund_reason is NoRefundReason.AGREED)
        for line in settled_on.lines:
            of = facts.for_quotes.charges[line.charge_id]
            assert 0 <= line.refund_tax.minor_units <= line.refund.minor_units <= of.paid - of.refunded
        if settled_on.refund:
            assert settled_on.refund_due_by
