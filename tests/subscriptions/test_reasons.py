"""Why nothing comes back, as it is said: by the facts, with hours and dates, wherever it is read."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from subscriptions.cancellations.receipt import make_receipt
from subscriptions.messages.quotes import quote_explanation
from subscriptions.models import Cancellation, CancellationPolicy, Subscription
from subscriptions.policy.facts import Mode
from subscriptions.policy.quotes import Quote
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.models import User
from tests.builders import NOW, PERIOD
from tests.graphql.documents import OPTIONS
from tests.providers import pay
from tests.subscriptions.test_lifecycle import after, cancel, work
from tests.subscriptions.test_money_after import bill, correct
from tests.subscriptions.test_periods import NEXT
from tests.world import Api, World

pytestmark = pytest.mark.django_db
CLOSED = {
    1: "No credit is due because the time for it, 1 hour, was over on 1 November 2026, 01:00 (Sofia).",
    0: "No credit is due because the time for it, 0 hours, was over on 1 November 2026, 00:00 (Sofia).",
    72: "No credit is due because the time for it, 72 hours, was over on 4 November 2026, 00:00 (Sofia).",
}
UNPAID = "No credit is due: the time until 1 December 2026 is not paid, no payment has arrived for it yet."


def quoted(world: World, subscription: Subscription, mode: Mode = Mode.IMMEDIATE) -> tuple[Quote, str]:
    """The quote and how it is explained."""
    batch = SubscriptionBatch.get(world.caller(), subscription.pk, NOW)
    quote = batch.decisions[subscription.pk].quote(mode)
    assert quote
    return quote, quote_explanation(quote, batch.snapshots[subscription.pk])


def credit(cancellation: Cancellation) -> str:
    return dict(make_receipt(cancellation, [], after(hours=1)).rows)["Credit"]


@pytest.fixture
def staff(world: World) -> User:
    return world.person(None, is_staff=True, is_superuser=True)


@pytest.mark.parametrize(("hours", "sentence"), CLOSED.items())
def test_a_closed_window_says_how_long_it_was_and_when_it_closed(
    world: World, staff: User, hours: int, sentence: str
) -> None:
    CancellationPolicy.objects.update(prorated_refund_hours=hours)
    subscription = world.subscription()
    assert quoted(world, subscription)[1] == sentence
    cancellation = cancel(world, subscription)
    # By what was decided then, whatever the policy says now.
    CancellationPolicy.objects.update(prorated_refund_hours=9)
    assert credit(cancellation) == sentence
    with time_machine.travel(after(hours=1), tick=False):
        client = Client()
        client.force_login(staff)
        page = client.get(reverse("admin:subscriptions_cancellation_change", args=[cancellation.pk]))
    assert sentence in page.content.decode()


@pytest.mark.parametrize(
    ("hours", "mode", "sentence"),
    [
        (1, Mode.IMMEDIATE, "времето за него, 1 час, изтече на 1 ноември 2026 г., 01:00 (София)."),
        (72, Mode.IMMEDIATE, "времето за него, 72 часа, изтече на 4 ноември 2026 г., 00:00 (София)."),
        (72, Mode.AT_PERIOD_END, "времето до 1 декември 2026 г. не е платено, още не е постъпило плащане за него."),
    ],
)
def test_the_same_is_said_in_bulgarian(world: World, hours: int, mode: Mode, sentence: str) -> None:
    CancellationPolicy.objects.update(prorated_refund_hours=hours)
    subscription = world.subscription(charged=None)
    world.charge(subscription, paid=0 if mode is Mode.AT_PERIOD_END else 2000)
    with translation.override("bg"):
        said = quoted(world, subscription, mode)[1]
        assert sentence in said.replace("\u202f", " ")
        assert said in make_receipt(cancel(world, subscription, mode), [], after(hours=1)).text


def test_of_several_windows_the_one_that_closed_last_is_said(world: World) -> None:
    CancellationPolicy.objects.update(prorated_refund_hours=72)
    subscription = world.subscription()
    added = PERIOD.start + timedelta(days=10)
    world.charge(subscription, period_start=added, period_end=PERIOD.end)
    # Not one of them: nothing was paid of it.
    world.charge(subscription, period_start=added + timedelta(days=1), period_end=PERIOD.end, paid=0)
    assert "over on 14 November 2026, 00:00 (Sofia)" in quoted(world, subscription)[1]
    assert "over on 14 November 2026, 00:00 (Sofia)" in credit(cancel(world, subscription))


@pytest.mark.parametrize(
    ("paid", "in_flight", "reason", "sentence"),
    [
        (0, 0, "NOTHING_SETTLED", UNPAID),
        (0, 2000, "NOTHING_SETTLED", UNPAID),
        (2000, 0, "PERIOD_END", "No credit is due because you can use all that was paid, until 1 December 2026."),
    ],
)
def test_at_the_end_of_a_period_that_is_not_paid_nothing_is_said_of_what_was_paid(
    world: World, paid: int, in_flight: int, reason: str, sentence: str
) -> None:
    subscription = world.subscription(charged=None)
    world.charge(subscription, paid=paid, in_flight=in_flight)
    quote, said = quoted(world, subscription, Mode.AT_PERIOD_END)
    assert (quote.no_refund_reason, said) == (reason, sentence)
    cancellation = cancel(world, subscription, Mode.AT_PERIOD_END)
    assert (cancellation.no_refund_reason, credit(cancellation)) == (reason, sentence)


def test_a_period_that_was_rolled_without_a_charge_is_not_paid(world: World) -> None:
    subscription = world.subscription(charged=None)
    before = PERIOD.start - timedelta(days=31)
    world.charge(subscription, period_start=before, period_end=PERIOD.start)
    assert quoted(world, subscription, Mode.AT_PERIOD_END)[1] == UNPAID
    # Also where the next one was billed and this one was not.
    world.charge(subscription, period_start=NEXT.start, period_end=NEXT.end, paid=0)
    assert quoted(world, subscription, Mode.AT_PERIOD_END)[1] == UNPAID


def test_no_charge_is_said_to_be_on_record_only_where_there_never_was_one(world: World) -> None:
    subscription = world.subscription(charged=None)
    assert quoted(world, subscription)[0].no_refund_reason == "NO_CHARGE_ON_RECORD"
    over = world.charge(subscription, period_start=PERIOD.start, period_end=NOW)
    assert quoted(world, subscription)[0].no_refund_reason == "FULLY_USED"
    world.charge(subscription, period_start=NEXT.start, period_end=NEXT.end, paid=0)
    assert quoted(world, subscription)[0].no_refund_reason == "NOTHING_SETTLED"
    assert over.pk


FREE = "No credit is due because nothing is charged for the time that is left."
USED = "No credit is due because all that was paid is used up."
USABLE = "No credit is due because you can use all that was paid, until 1 December 2026."


def test_what_is_free_or_corrected_away_waits_for_no_payment(world: World) -> None:
    free, corrected = world.subscription(charged=0), world.subscription(charged=None)
    correct(world.charge(corrected, charged=2000), 2000, after(hours=-1))
    for subscription in (free, corrected):
        assert quoted(world, subscription)[1] == FREE
        assert credit(cancel(world, subscription)) == FREE


@pytest.mark.parametrize(
    ("hours", "mode", "paid", "sentence"),
    [
        (None, Mode.IMMEDIATE, 500, USED),
        (72, Mode.IMMEDIATE, 2000, CLOSED[72]),
        (None, Mode.AT_PERIOD_END, 500, USABLE),
        (None, Mode.AT_PERIOD_END, 2000, USABLE),
    ],
)
def test_a_payment_that_comes_late_and_gives_nothing_back_is_no_longer_waited_for(
    world: World, hours: int | None, mode: Mode, paid: int, sentence: str
) -> None:
    CancellationPolicy.objects.update(prorated_refund_hours=hours)
    subscription = world.subscription(charged=None)
    charge = world.charge(subscription, paid=0, in_flight=2000)
    cancellation = cancel(world, subscription, mode)
    assert cancellation.no_refund_reason == "NOTHING_SETTLED"
    work(after(minutes=1))
    sent = len(mail.outbox)
    pay(charge, paid, after(minutes=2))
    work(after(minutes=3))
    cancellation.refresh_from_db()
    assert credit(cancellation) == sentence
    # Nothing has changed about money, so nobody is mailed.
    assert (len(mail.outbox), cancellation.refunds.count()) == (sent, 0)


def test_a_window_that_closed_for_a_charge_that_came_late_is_said_without_a_date(world: World) -> None:
    CancellationPolicy.objects.update(prorated_refund_hours=72)
    subscription = world.subscription(charged=None)
    cancellation = cancel(world, subscription)
    assert cancellation.no_refund_reason == "NO_CHARGE_ON_RECORD"
    bill(subscription, PERIOD, 2000, after(minutes=1))
    work(after(minutes=2))
    cancellation.refresh_from_db()
    assert credit(cancellation) == "No credit is due because the time for it was over."


@pytest.mark.parametrize("reason", ["TRIAL", "PREPAID"])
def test_what_was_decided_by_no_charge_stays(world: World, reason: str) -> None:
    subscription = world.subscription(charged=None, **_SOLD[reason])
    cancellation = cancel(world, subscription, Mode.AT_PERIOD_END)
    assert cancellation.no_refund_reason == reason
    bill(subscription, PERIOD, 2000, after(minutes=1), paid=0)
    work(after(minutes=2))
    cancellation.refresh_from_db()
    assert cancellation.no_refund_reason == reason


_SOLD: dict[str, dict[str, Any]] = {
    "TRIAL": {"is_trial": True, "renews": True},
    "PREPAID": {"channel": "PREPAID"},
}


def test_what_was_decided_before_lines_had_reasons_can_still_be_read(world: World) -> None:
    CancellationPolicy.objects.update(prorated_refund_hours=72)
    cancellation = cancel(world, world.subscription())
    for line in cancellation.quote["lines"]:
        assert line.pop("line_reason") == "WINDOW_CLOSED"
    cancellation.save()
    assert credit(Cancellation.objects.get()) == CLOSED[72]


@time_machine.travel(NOW, tick=False)
def test_each_line_says_why_it_is_not_plain_proration(world: World) -> None:
    subscription = world.subscription()
    world.charge(subscription, refunded=1800)
    world.charge(subscription, refunded=2000)
    world.charge(subscription, paid=0)
    world.charge(subscription, period_start=NEXT.start, period_end=NEXT.end)

    def reasons() -> list[tuple[str, str | None]]:
        options = Api(world.admin)(OPTIONS, id=f"sub_{subscription.pk}")["cancellationOptions"]["options"]
        now = next(quote for option in options for quote in option["quotes"] or [] if quote["mode"] == "IMMEDIATE")
        return [(line["refund"]["amount"], line["reason"]) for line in now["lines"]]

    assert reasons() == [
        ("4.00", None),
        ("2.00", "ALREADY_REFUNDED"),
        ("0.00", "ALREADY_REFUNDED"),
        ("0.00", None),
        ("20.00", "NOT_BEGUN"),
    ]
    CancellationPolicy.objects.update(prorated_refund_hours=72)
    assert reasons() == [
        ("0.00", "WINDOW_CLOSED"),
        ("0.00", "WINDOW_CLOSED"),
        ("0.00", "ALREADY_REFUNDED"),
        ("0.00", None),
        ("20.00", "NOT_BEGUN"),
    ]


def test_reasons_of_many_cost_as_many_queries_as_of_few(world: World) -> None:
    def queries(count: int) -> int:
        ids = []
        for _ in range(count):
            subscription = world.subscription(0, charged=None)
            world.charge(subscription, period_start=PERIOD.start, period_end=NOW)
            ids.append(subscription.pk)
        with CaptureQueriesContext(connection) as seen:
            batch = SubscriptionBatch.find_many(ids, NOW, world.caller())
            assert {quote.no_refund_reason for d in batch.decisions.values() for quote in d.quotes} == {
                "FULLY_USED", "NOTHING_SETTLED",
            }  # fmt: skip
        return len(seen)

    assert queries(2) == queries(20)
