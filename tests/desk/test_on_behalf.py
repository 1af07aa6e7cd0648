"""An agent cancels for the customer: waiting for our call costs nothing, and an agreed amount is never too much."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from billing.models import Charge, Refund
from common.errors import ChangedMeanwhile, InputInvalid
from desk.errors import ClaimedElsewhere
from desk.models import CallbackRequest
from desk.services.cancellations import batch_on_behalf, cancel_on_behalf
from desk.services.claims import claim_callback
from desk.services.requests import reschedule_callback
from outbox.worker import work_off
from subscriptions.cancellations.receipt import make_receipt
from subscriptions.cancellations.service import Canceled, StaffCancellation, cancel_subscription, undo_cancellation
from subscriptions.cancellations.signing import quote_id
from subscriptions.errors import QuoteChanged, QuoteExpired, RouteNotAvailable
from subscriptions.models import Cancellation, Subscription
from subscriptions.policy.facts import Mode
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.models import AuditEvent, User
from tenants.people import caller_of_staff
from tenants.verification import verify
from tests.builders import PERIOD
from tests.desk.test_desk import ask
from tests.providers import TestProvider, pay, used
from tests.subscriptions.test_lifecycle import work
from tests.world import World, later

pytestmark = pytest.mark.django_db

# Nobody reached them until two days into the next period.
CALLED = PERIOD.end + timedelta(days=2)


def quote(agent: User, subscription: Subscription, mode: Mode = Mode.IMMEDIATE, at: Any = CALLED) -> str:
    batch = batch_on_behalf(caller_of_staff(agent), subscription.pk, at)
    assert batch
    found = batch.decisions[subscription.pk].quote(mode)
    assert found
    return quote_id(found, tenant_id=subscription.tenant_id, subscription_id=subscription.pk)


def cancel(agent: User, subscription: Subscription, text: str, *, at: Any = CALLED, **given: Any) -> Canceled:
    return cancel_on_behalf(
        caller=caller_of_staff(agent),
        subscription_id=subscription.pk,
        quote_id=text,
        idempotency_key=given.pop("key", "k1"),
        reason="asked for it on the phone",
        language="en",
        now=at,
        **given,
    )


def december(world: World, subscription: Subscription) -> Charge:
    return world.charge(subscription, period_start=PERIOD.end, period_end=PERIOD.end + timedelta(days=31), charged=3100)


def waiting(world: World) -> CallbackRequest:
    request = ask(world)
    december(world, request.subscription)
    return request


def test_credit_counts_from_the_request_and_access_ends_when_the_agent_cancels(world: World, agent: User) -> None:
    request = waiting(world)
    done = cancel(agent, request.subscription, quote(agent, request.subscription)).cancellation
    # 24 of 30 days of November were used when they asked (case: 4.00); December, which began since, comes whole.
    assert done.refunds.get().amount == 400 + 3100
    assert (done.priced_at, done.refunds.get().priced_at) == (request.requested_at, request.requested_at)
    assert (done.effective_at, done.access_ends_at, done.undo_until) == (CALLED, CALLED, CALLED + timedelta(hours=72))
    assert done.refunds.get().due_by > CALLED.date()
    request.refresh_from_db()
    assert (request.status, request.close_reason) == ("DONE", "CANCELED_BY_AGENT")


def test_the_evidence_says_who_did_it_for_whom_and_why(world: World, agent: User) -> None:
    request = waiting(world)
    done = cancel(agent, request.subscription, quote(agent, request.subscription)).cancellation
    request.refresh_from_db()
    assert (done.by_staff, done.requested_by_user, done.customer) == (True, agent, request.requested_by_user)
    assert (request.cancellation, done.customer_language) == (done, request.language)
    assert done.staff_reason == "asked for it on the phone"
    event = AuditEvent.objects.get(action="cancellation.requested")
    assert (event.actor_id, event.data["customer"]) == (agent.pk, request.requested_by_user_id)
    assert AuditEvent.objects.get(action="callback.canceled").data["cancellation"] == done.reference
    assert event.data["staff_reason"] == "asked for it on the phone"
    assert not list(verify(world.tenant.pk))


def test_a_call_that_was_postponed_counts_from_later_but_never_from_after_the_cancellation(
    world: World, agent: User
) -> None:
    request = ask(world)
    CallbackRequest.objects.filter(pk=request.pk).update(credit_from=later(days=3))
    early = later(days=1)
    done = cancel(agent, request.subscription, quote(agent, request.subscription, at=early), at=early).cancellation
    assert done.priced_at == early
    assert done.refunds.get().amount == 333


def test_canceling_online_meanwhile_is_priced_like_any_other(world: World) -> None:
    request = waiting(world)
    batch = SubscriptionBatch.get(world.caller(), request.subscription_id, CALLED)
    assert [charge.charged for charge in batch.snapshots[request.subscription_id].for_quotes.charges] == [3100]


def test_a_call_that_moves_between_quote_and_cancellation_is_another_promise(world: World, agent: User) -> None:
    request = waiting(world)
    text = quote(agent, request.subscription)
    CallbackRequest.objects.filter(pk=request.pk).update(credit_from=PERIOD.end)
    with pytest.raises(QuoteChanged):
        cancel(agent, request.subscription, text)
    with pytest.raises(QuoteExpired):
        cancel(agent, request.subscription, quote(agent, request.subscription), at=CALLED + timedelta(minutes=30))
    assert not Cancellation.objects.exists()


def test_a_call_that_moves_in_the_very_moment_is_seen_under_the_lock(world: World, agent: User) -> None:
    request = waiting(world)
    text = quote(agent, request.subscription)
    read = StaffCancellation("on the phone", credit_from=request.credit_from)
    CallbackRequest.objects.filter(pk=request.pk).update(credit_from=PERIOD.end)
    with pytest.raises(ChangedMeanwhile):
        cancel_subscription(
            caller=caller_of_staff(agent), subscription_id=request.subscription_id, quote_id=text,
            idempotency_key="k", language="en", now=CALLED, staff=read,
        )  # fmt: skip
    assert not Cancellation.objects.exists()


def test_only_the_agent_who_has_the_call_cancels(world: World, agent: User) -> None:
    request = waiting(world)
    other = world.person(None, is_staff=True)
    assert claim_callback(agent=other, caller=caller_of_staff(other), callback_id=request.pk, language="en", now=CALLED)
    with pytest.raises(ClaimedElsewhere):
        cancel(agent, request.subscription, quote(agent, request.subscription))
    over = CALLED + timedelta(minutes=20)
    assert not cancel(agent, request.subscription, quote(agent, request.subscription, at=over), at=over).replayed


def test_without_the_reason_or_the_route_nothing_is_done(world: World, agent: User) -> None:
    request = waiting(world)
    text = quote(agent, request.subscription)
    with pytest.raises(InputInvalid):
        cancel_on_behalf(
            caller=caller_of_staff(agent), subscription_id=request.subscription_id, quote_id=text,
            idempotency_key="k", language="en", now=CALLED, reason="  ",
        )  # fmt: skip
    # The same quote is no key for those who do not act as staff.
    with pytest.raises((RouteNotAvailable, QuoteChanged)):
        cancel_subscription(
            caller=world.caller(), subscription_id=request.subscription_id, quote_id=text,
            idempotency_key="k", language="en", now=CALLED,
        )  # fmt: skip
    assert not Refund.objects.exists()


@pytest.mark.parametrize("amount", [0, 1, 400, 3500, 5100])
def test_a_supervisor_settles_on_another_amount(world: World, agent: User, amount: int) -> None:
    request = waiting(world)
    text = quote(agent, request.subscription)
    done = cancel(agent, request.subscription, text, amount=amount).cancellation
    refunds = list(done.refunds.all())
    assert [refund.amount for refund in refunds] == ([amount] if amount else [])
    assert sum(part.amount for refund in refunds for part in refund.parts.all()) == amount
    assert all(charge.refunded <= charge.paid for charge in Charge.objects.all())
    assert done.quote["agreed"] is True
    assert done.quote["by_rule"]["minor_units"] == 3500
    assert done.no_refund_reason == ("" if amount else "AGREED")
    assert "agreed with support" in make_receipt(done, refunds, CALLED).text
    # Undone, it is all there again.
    undo_cancellation(caller=caller_of_staff(agent), cancellation_id=done.pk, language="en", now=CALLED)
    assert not any(Charge.objects.values_list("refunded", flat=True))


@pytest.mark.parametrize("amount", [-1, 5101, 10**12])
def test_an_amount_above_what_was_paid_is_refused(world: World, agent: User, amount: int) -> None:
    request = waiting(world)
    with pytest.raises(InputInvalid) as refused:
        cancel(agent, request.subscription, quote(agent, request.subscription), amount=amount)
    assert refused.value.path == ["amount"]
    assert not Cancellation.objects.exists()


def test_a_payment_in_flight_returns_nothing_beyond_the_agreed_amount(world: World, agent: User) -> None:
    request = ask(world)
    Charge.objects.update(paid=0, in_flight=2000)
    cancel(agent, request.subscription, quote(agent, request.subscription), amount=0)
    charge = Charge.objects.get()
    assert pay(charge, 2000, CALLED)
    work_off(lambda: CALLED)
    assert not Refund.objects.exists()


def test_moving_the_call_by_hand_moves_the_clock(world: World, agent: User) -> None:
    request = ask(world)
    moved = reschedule_callback(
        caller=world.caller(), callback_id=request.pk, phone=None, window_start=None, language="en", now=later(days=2)
    )
    assert moved.credit_from == request.credit_from


def test_who_asked_for_the_call_hears_what_becomes_of_it(world: World, agent: User) -> None:
    request = waiting(world)
    done = cancel(agent, request.subscription, quote(agent, request.subscription)).cancellation
    work(CALLED)
    mail.outbox.clear()
    undo_cancellation(caller=world.caller(), cancellation_id=done.pk, language="en", now=CALLED)
    work(CALLED)
    [told] = mail.outbox
    assert told.to == [request.requested_by_user.email]  # type: ignore[union-attr]
    assert done.reference in told.subject


def test_who_asked_for_the_call_hears_of_a_refund_that_failed(world: World, agent: User) -> None:
    request = waiting(world)
    cancel(agent, request.subscription, quote(agent, request.subscription))
    work(CALLED)
    mail.outbox.clear()
    with used(TestProvider()) as provider:
        provider.troubles = ["decline", "decline"]
        work(CALLED + timedelta(hours=80))
        work(CALLED + timedelta(hours=81))
    assert request.requested_by_user.email in [to for message in mail.outbox for to in message.to]  # type: ignore[union-attr]
