"""Two clocks that disagree: nothing takes effect before what was promised, and no undo closes before its instant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.models import Agreement, Refund
from billing.refunds.sending import send_stranded
from billing.renewal import wanted_of
from billing.renewal_stop import UNDO_GRACE, RenewalStop
from outbox.models import Task
from subscriptions.cancellations.service import cancel_subscription, undo_cancellation
from subscriptions.errors import QuoteChanged, UndoClosed
from subscriptions.models import Cancellation, Subscription
from subscriptions.policy.facts import Mode
from tests.builders import NOW, PERIOD
from tests.providers import TestProvider, used
from tests.subscriptions.test_lifecycle import after, cancel, quote_of, work
from tests.subscriptions.test_money_after import bill
from tests.subscriptions.test_periods import NEXT
from tests.world import World

SECOND = timedelta(seconds=1)


@pytest.fixture
def provider() -> Iterator[TestProvider]:
    with used(TestProvider()) as found:
        yield found


def executed(world: World, subscription: Subscription, mode: Mode, made_at: datetime, now: datetime) -> Cancellation:
    return cancel_subscription(
        caller=world.caller(), subscription_id=subscription.pk,
        quote_id=quote_of(world, subscription, mode, made_at), idempotency_key=None, language="en", now=now,
    ).cancellation  # fmt: skip


def undo(world: World, cancellation: Cancellation, at: datetime) -> Cancellation:
    return undo_cancellation(caller=world.caller(), cancellation_id=cancellation.pk, language="en", now=at)


@pytest.mark.django_db
@pytest.mark.parametrize("behind", [SECOND, timedelta(minutes=2), timedelta(hours=5)])
def test_by_a_clock_that_is_behind_it_takes_effect_when_it_was_promised(world: World, behind: timedelta) -> None:
    done = executed(world, world.subscription(), Mode.IMMEDIATE, NOW, NOW - behind)
    assert (done.requested_at, done.priced_at, done.effective_at) == (NOW - behind, NOW, NOW)
    assert (done.access_ends_at, done.undo_until) == (NOW, after(hours=72))
    assert Subscription.objects.get().ends_at == NOW


@pytest.mark.django_db
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("of", ["subscription", "charge that ends", "charge that begins"])
def test_a_boundary_between_the_clocks_changes_the_quote(world: World, mode: Mode, ahead: bool, of: str) -> None:
    subscription = world.subscription(charged=None)
    edge = PERIOD.end if of == "subscription" else PERIOD.end - timedelta(days=3)
    if of == "charge that ends":
        world.charge(subscription, period_start=PERIOD.start, period_end=edge)
    elif of == "charge that begins":
        world.charge(subscription, period_start=edge, period_end=NEXT.end)
    before, at = edge - SECOND, edge
    made_at, now = (before, at) if ahead else (at, before)
    with pytest.raises(QuoteChanged):
        executed(world, subscription, mode, made_at, now)
    assert not Cancellation.objects.exists()
    # On one side of it, nothing has changed.
    assert executed(world, subscription, mode, before, before - timedelta(minutes=1))


@pytest.fixture
def told_stripe(world: World) -> Subscription:
    subscription = world.subscription()
    bill(subscription, NEXT, 3000, PERIOD.start)
    Agreement.objects.update(provider="stripe", external_id="s-1")
    return subscription


@pytest.mark.django_db
@pytest.mark.parametrize("mode", Mode)
def test_a_worker_that_is_ahead_closes_no_undo(
    world: World, provider: TestProvider, told_stripe: Subscription, mode: Mode
) -> None:
    done = cancel(world, told_stripe, mode)
    worker = done.undo_until + UNDO_GRACE - SECOND
    for at in (NOW, done.undo_until, worker):
        work(at)
        assert send_stranded(at) == 0
    assert Refund.objects.get().status == "HELD"
    undo(world, done, done.undo_until - SECOND)
    work(worker)
    work(worker + timedelta(days=1))
    assert (Refund.objects.get().status, provider.paid) == ("VOIDED", {})
    assert provider.stopped == [("stop at period end", "s-1"), ("go on", "s-1")]


@pytest.mark.django_db
@pytest.mark.parametrize("mode", Mode)
def test_undo_itself_closes_at_its_instant_and_the_money_leaves_soon_after(
    world: World, provider: TestProvider, told_stripe: Subscription, mode: Mode
) -> None:
    done = cancel(world, told_stripe, mode)
    assert Task.objects.get(kind="refund.submit").run_at == done.undo_until + UNDO_GRACE
    with pytest.raises(UndoClosed):
        undo(world, done, done.undo_until)
    work(done.undo_until + UNDO_GRACE)
    assert Refund.objects.get().status == "SUCCEEDED"
    if mode is Mode.IMMEDIATE:
        assert provider.stopped[-1] == ("stop now", "s-1")


@pytest.mark.django_db
def test_a_refund_whose_task_was_lost_is_found_when_the_grace_is_over(
    world: World, provider: TestProvider, told_stripe: Subscription
) -> None:
    done = cancel(world, told_stripe)
    Task.objects.filter(kind="refund.submit").delete()
    assert send_stranded(done.undo_until + UNDO_GRACE - SECOND) == 0
    send_stranded(done.undo_until + UNDO_GRACE)
    assert Task.objects.filter(kind="refund.submit").exists()


@pytest.mark.django_db
def test_what_is_added_while_another_clock_may_still_undo_can_be_taken_back(
    world: World, provider: TestProvider, told_stripe: Subscription
) -> None:
    done = cancel(world, told_stripe)
    late = done.undo_until + timedelta(minutes=1)
    bill(told_stripe, NEXT, 900, late, external_id="late")
    work(late)
    assert sorted(Refund.objects.values_list("status", flat=True)) == ["HELD", "HELD"]
    undo(world, done, done.undo_until - SECOND)
    assert set(Refund.objects.values_list("status", flat=True)) == {"VOIDED"}
    assert provider.paid == {}


@pytest.mark.django_db
def test_what_is_added_when_no_clock_can_undo_is_sent_at_once(
    world: World, provider: TestProvider, told_stripe: Subscription
) -> None:
    done = cancel(world, told_stripe)
    late = done.undo_until + UNDO_GRACE
    work(late)
    bill(told_stripe, NEXT, 900, late + SECOND, external_id="late")
    work(late + SECOND)
    work(late + SECOND)
    assert set(Refund.objects.values_list("status", flat=True)) == {"SUCCEEDED"}


@given(st.timedeltas(-timedelta(minutes=10), timedelta(minutes=10)))
def test_the_provider_hears_of_the_end_after_every_clock_has_closed_the_undo(apart: timedelta) -> None:
    agreement = Agreement(renewal_stop=RenewalStop.NOW.value, ends_for_good_at=NOW)
    wanted = wanted_of(agreement, NOW + apart)
    assert (wanted.now is RenewalStop.NOW) is (apart >= UNDO_GRACE)
    assert wanted.next_at == (None if apart >= UNDO_GRACE else NOW + UNDO_GRACE)
