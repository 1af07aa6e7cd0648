"""Which period a subscription is in: by all its charges and the clock, whatever file came last and whoever has run."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.money import Money
from billing.periods import Period
from subscriptions.models import Subscription
from subscriptions.policy.facts import Mode, Status
from subscriptions.policy.quotes import Quote
from subscriptions.renewal import roll_periods
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.models import AuditEvent
from tenants.people import SYSTEM
from tests.builders import NOW, PERIOD, at
from tests.graphql.documents import ONE
from tests.subscriptions.test_facts import Imports, imports, people
from tests.subscriptions.test_lifecycle import cancel, quote_of
from tests.world import Api, World

__all__ = ["imports", "quote_of"]

pytestmark = pytest.mark.django_db
MARCH = Period(at("2026-02-28T22:00Z"), at("2026-03-31T21:00Z"))
APRIL = Period(MARCH.end, at("2026-04-30T21:00Z"))
TENTH = at("2026-03-10T10:00Z")
OF_MARCH = "c1,E3,s1,5,20.00,20.00,EUR,2026-03-01,2026-04-01,1\n"
OF_APRIL = "c2,E3,s1,6,30.00,30.00,EUR,2026-04-01,2026-05-01,1\n"
ADDED = "c3,E3,s1,2,5.00,5.00,EUR,2026-03-11,2026-04-01,\n"


def row() -> Subscription:
    return Subscription.objects.get()


def quoted(mode: Mode, now: datetime) -> Quote:
    batch = SubscriptionBatch.find_many([row().pk], now, SYSTEM)
    quote = batch.decisions[row().pk].quote(mode)
    assert quote
    return quote


@pytest.mark.parametrize(
    "files", [[OF_MARCH + OF_APRIL], [OF_APRIL + OF_MARCH], [OF_MARCH, OF_APRIL], [OF_APRIL, OF_MARCH]]
)
def test_what_is_billed_ahead_is_not_the_period_that_runs(imports: Imports, files: list[str]) -> None:
    for charges in files:
        imports(people(1), charges=charges, at=TENTH)
    assert (row().period, row().purchased_licenses, row().term_months) == (MARCH, 5, 1)
    quote = quoted(Mode.AT_PERIOD_END, TENTH)
    assert (quote.effective_at, quote.refund) == (MARCH.end, Money(3000, "EUR"))
    assert quoted(Mode.IMMEDIATE, TENTH).refund == Money(3000 + 1419, "EUR")


def test_seats_that_are_added_later_leave_the_period_and_its_term(imports: Imports) -> None:
    imports(people(1), charges=OF_MARCH, at=TENTH)
    imports(people(1), charges=ADDED, at=TENTH + timedelta(days=1))
    assert (row().period, row().purchased_licenses, row().term_months) == (MARCH, 7, 1)
    assert row().anchored_at == MARCH.start
    # The charge that was known already changes nothing.
    imports(people(1), charges=OF_MARCH, at=TENTH + timedelta(days=2))
    assert (row().period, row().purchased_licenses) == (MARCH, 7)


def test_a_file_of_long_ago_takes_no_rolled_period_back(imports: Imports) -> None:
    imports(people(1), charges=OF_MARCH, at=TENTH)
    may = at("2026-05-20T10:00Z")
    assert roll_periods(may) == 1
    rolled = row().period
    assert rolled
    assert may in rolled
    imports(people(1), charges=OF_MARCH + OF_APRIL, at=may)
    assert (row().period, row().purchased_licenses) == (rolled, 5)


def test_billing_that_moved_to_another_length_is_not_rolled_by_the_old_one(imports: Imports) -> None:
    imports(people(1), charges="c0,E3,s1,5,9.00,9.00,EUR,2025-03-01,2026-03-01,12\n", at=at("2025-03-10T10:00Z"))
    imports(people(1), charges=OF_MARCH.replace(",1\n", ",\n"), at=TENTH)
    assert (row().period, row().term_months) == (MARCH, None)


def test_what_was_canceled_at_once_ended_then_whatever_is_billed_afterwards(imports: Imports) -> None:
    imports(people(1), charges=OF_MARCH, at=TENTH)
    world = imports.world()
    cancel(world, row(), at=TENTH)
    imports(people(1), charges=OF_MARCH + OF_APRIL, at=TENTH + timedelta(hours=1))
    for later in (timedelta(hours=1), timedelta(days=40)):
        roll_periods(TENTH + later)
        with time_machine.travel(TENTH + later, tick=False):
            found = Api(world.admin)(ONE, id=f"sub_{row().pk}")["subscription"]
        assert found["currentPeriodStart"] == MARCH.start.isoformat()
        assert found["currentPeriodEnd"] == TENTH.isoformat()


def test_what_was_canceled_before_its_period_was_rolled_ended_in_the_next(world: World) -> None:
    subscription = world.subscription()
    canceled_at = PERIOD.end + timedelta(days=3)
    cancel(world, subscription, at=canceled_at)
    with time_machine.travel(canceled_at + timedelta(days=9), tick=False):
        found = Api(world.admin)(ONE, id=f"sub_{subscription.pk}")["subscription"]
    assert (found["currentPeriodStart"], found["currentPeriodEnd"]) == (PERIOD.end.isoformat(), canceled_at.isoformat())


LATER = PERIOD.end + timedelta(hours=1)
NEXT = Period(PERIOD.end, PERIOD.end + timedelta(days=31))
LONG = Period(PERIOD.end, PERIOD.end + timedelta(days=90))


def bill(world: World, subscription: Subscription, period: Period = NEXT, **given: Any) -> None:
    world.charge(subscription, period_start=period.start, period_end=period.end, **{"seats": 9, **given})


@pytest.mark.parametrize(
    "given",
    [{}, {"term_months": None}, {"renews": False}, {"renews": False, "term_months": None}, {"is_trial": True}],
    ids=["renews", "no term", "does not renew", "neither", "trial"],
)
def test_what_was_billed_ahead_goes_on_by_its_charge(world: World, given: dict[str, Any]) -> None:
    subscription = world.subscription(**given)
    bill(world, subscription, LONG)
    bill(world, subscription, Period(NEXT.start, NEXT.end), seats=2)
    assert roll_periods(LATER) == 1
    assert (row().period, row().purchased_licenses, row().is_trial) == (LONG, 11, False)
    assert roll_periods(LATER) == 0
    decision = SubscriptionBatch.get(world.caller(), subscription.pk, LATER).decisions[subscription.pk]
    assert (decision.period, decision.status) == (LONG, Status.ACTIVE)
    assert AuditEvent.objects.filter(action="subscription.renewed").count() == 1


def test_what_was_written_down_before_it_began_is_made_the_period_that_runs(world: World) -> None:
    subscription = world.subscription(period_start=NEXT.start, period_end=NEXT.end, charged=None)
    bill(world, subscription, PERIOD)
    bill(world, subscription, NEXT)
    assert roll_periods(NOW) == 1
    assert (row().period, row().anchored_at) == (PERIOD, PERIOD.start)


@pytest.mark.parametrize(
    "given",
    [
        {"canceled_mode": "AT_PERIOD_END", "ends_at": PERIOD.end},
        {"base_status": "EXPIRED"},
        {"ended_source": "stripe", "renews": False},
        {"period_start": None, "period_end": None},
    ],
)
def test_what_ended_is_not_moved_on_by_what_is_billed(world: World, given: dict[str, Any]) -> None:
    subscription = world.subscription(charged=None, **given)
    bill(world, subscription)
    before = row().period
    assert roll_periods(LATER) == 0
    assert row().period == before


def test_what_is_to_come_and_not_billed_for_now_stays_to_come(world: World) -> None:
    world.subscription(period_start=NEXT.start, period_end=NEXT.end)
    assert roll_periods(NOW) == 0


def test_charges_and_terms_in_turn_do_not_drift(world: World) -> None:
    """From the 31st: what is billed and what is rolled give the same days."""
    start, end = at("2027-01-30T22:00Z"), at("2027-02-27T22:00Z")
    subscription = world.subscription(
        period_start=start, period_end=end, anchored_at=start, charged=None, purchased_licenses=4
    )
    march, april, may = (
        Period(end, at("2027-03-30T21:00Z")),
        Period(at("2027-03-30T21:00Z"), at("2027-04-29T21:00Z")),
        Period(at("2027-04-29T21:00Z"), at("2027-05-30T21:00Z")),
    )
    bill(world, subscription, march, seats=5)
    for period, seats in ((march, 5), (april, 5), (may, 5)):
        assert roll_periods(period.start) == 1
        assert (row().period, row().anchored_at, row().purchased_licenses) == (period, start, seats)


def test_periods_of_many_are_found_by_as_many_queries_as_of_few(world: World) -> None:
    def reads(count: int) -> int:
        for _ in range(count):
            bill(world, world.subscription())
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert roll_periods(LATER) == count
        return sum(query["sql"].startswith("SELECT") and "billing_charge" in query["sql"] for query in seen)

    assert reads(2) == reads(9) == 2
