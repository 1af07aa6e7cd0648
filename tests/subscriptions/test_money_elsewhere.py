"""Money that moves without us: dashboards, disputes, payments that fail, files that say less. Through Stripe's webhook."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail

from billing.models import Agreement, Charge, ProviderNotice, Refund, RefundPart, ReturnElsewhere
from billing.proration import NoRefundReason
from billing.refunds.repricing import retry_refund
from billing.refunds.requests import refund_by_hand
from outbox.models import Task
from subscriptions.models import Subscription
from subscriptions.policy.decision import Reason
from subscriptions.policy.facts import Mode, Status
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.models import AuditEvent
from tenants.people import SYSTEM
from tests.billing import stripe_objects as stripe
from tests.billing.conftest import server
from tests.billing.fake_stripe import SUBSCRIPTION, FakeStripe
from tests.builders import NOW, PERIOD
from tests.reconciling import findings
from tests.subscriptions.test_lifecycle import after, cancel, told, work
from tests.subscriptions.test_money_after import amounts, correct
from tests.world import World

__all__ = ["server", "told"]

pytestmark = pytest.mark.django_db
START = PERIOD.start


@pytest.fixture
def sold(told: World, server: FakeStripe) -> Iterator[Subscription]:
    """100.00 for November, charged by Stripe as ch_1."""
    subscription = told.subscription(charged=None)
    Agreement.objects.filter(pk=subscription.agreement_id).update(provider="stripe", external_id=SUBSCRIPTION)
    told.charge(subscription, external_id="ch_1", charged=10000, tax=2000)
    return Subscription.objects.get(pk=subscription.pk)


def say(kind: str, body: dict[str, Any], now: datetime, **more: Any) -> None:
    with time_machine.travel(now, tick=False):
        assert stripe.say(kind, body, **more) == 200
    work(now)


def quote(world: World, subscription: Subscription, mode: Mode = Mode.IMMEDIATE, at: datetime = START) -> Any:
    return SubscriptionBatch.get(world.caller(), subscription.pk, at).decisions[subscription.pk].quote(mode)


def offline(at: datetime) -> list[str]:
    return [str(finding) for finding in findings(at, ask_provider=False)]


GONE = {
    "a refund in the dashboard": ("refund.created", stripe.refund("ch_1", 10000)),
    "one that is on its way": ("refund.created", stripe.refund("ch_1", 10000, status="pending")),
    "a refund that names the payment": ("charge.refund.updated", stripe.refund("", 10000, payment_intent="ch_1")),
    "its charge": ("charge.refunded", stripe.charge("ch_1", 10000, refunded=10000)),
    "its charge, updated": ("charge.updated", stripe.charge("ch_1", 10000, refunded=10000)),
    "a dispute": ("charge.dispute.created", stripe.dispute("ch_1", 10000)),
    "a dispute that was lost": ("charge.dispute.closed", stripe.dispute("ch_1", 10000, status="lost")),
    "under our key, from a copy of this database": (
        "refund.updated", stripe.refund("ch_1", 10000, metadata={"wayout_part": "5b3f6a34-0000-4000-8000-000000000000"})
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", GONE)
def test_what_is_gone_is_not_promised_again(told: World, sold: Subscription, what: str) -> None:
    kind, body = GONE[what]
    for _ in range(2):
        say(kind, body, START)
    promised = quote(told, sold)
    assert promised.refund is None
    reason = "DISPUTED" if "dispute" in what else "ALREADY_REFUNDED"
    assert (promised.no_refund_reason, [line.line_reason for line in promised.lines]) == (reason, [reason])
    event = AuditEvent.objects.get(subject__startswith="Charge:")
    assert event.data["source"] == "stripe"
    cancel(told, sold, at=START)
    work(after(days=5))
    assert amounts() == []
    assert offline(after(days=5)) == []


@pytest.mark.parametrize("what", GONE)
def test_what_is_held_becomes_what_is_left(told: World, sold: Subscription, what: str) -> None:
    kind, body = GONE[what]
    name = "amount_refunded" if body["object"] == "charge" else "amount"
    canceled = cancel(told, sold, at=START)
    work(START)
    mail.outbox.clear()
    say(kind, {**body, name: 4000}, START + timedelta(hours=1))
    assert amounts() == [(6000, "HELD")]
    assert RefundPart.objects.get().tax == 1200
    assert {message.to[0] for message in mail.outbox} == {told.admin.email, "books@contoso.example"}
    work(START + timedelta(hours=80))
    work(START + timedelta(hours=81))
    assert amounts() == [(6000, "SUCCEEDED")]
    assert canceled.refunds.count() == 1
    assert offline(START + timedelta(hours=81)) == []


@pytest.mark.parametrize("what", GONE)
def test_after_the_money_left_staff_are_told_of_the_rest(
    told: World, sold: Subscription, what: str, settings: Any
) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    kind, body = GONE[what]
    # What the charge says was refunded counts ours as well.
    amount, name = (8000, "amount_refunded") if body["object"] == "charge" else (4000, "amount")
    correct(Charge.objects.get(), 6000, START)
    cancel(told, sold, at=START)
    work(START + timedelta(hours=80))
    assert amounts() == [(4000, "SUCCEEDED")]
    mail.outbox.clear()
    for _ in range(2):
        say(kind, {**body, name: amount}, START + timedelta(hours=90))
    assert amounts() == [(4000, "SUCCEEDED")]
    [message] = mail.outbox
    assert message.to == ["desk@wayout.example"]
    assert any("due" in finding for finding in offline(START + timedelta(hours=91)))


@pytest.mark.parametrize("sent", [False, True], ids=["held", "sent"])
def test_a_dispute_that_is_won_has_the_promise_kept(told: World, sold: Subscription, sent: bool) -> None:
    body = stripe.dispute("ch_1", 4000)
    say("charge.dispute.created", body, START)
    cancel(told, sold, at=START)
    at = START + timedelta(hours=80 if sent else 2)
    work(at)
    say("charge.dispute.closed", {**body, "status": "won"}, at + timedelta(hours=1))
    work(at + timedelta(hours=2))
    assert [amount for amount, _ in amounts()] == ([6000, 4000] if sent else [10000])
    work(START + timedelta(days=9))
    assert {status for _, status in amounts()} == {"SUCCEEDED"}
    # And lost after all, later: a fact that nobody can take back.
    say("charge.dispute.closed", {**body, "status": "lost"}, START + timedelta(days=10))
    assert any("60.00 EUR is due" in f or "0.00 EUR is due" in f for f in offline(START + timedelta(days=11)))


def test_mail_says_that_a_dispute_is_why_nothing_comes_back(told: World, sold: Subscription) -> None:
    canceled = cancel(told, sold, at=START)
    work(START)
    mail.outbox.clear()
    say("charge.dispute.created", stripe.dispute("ch_1", 10000), START + timedelta(hours=1))
    assert amounts() == [(10000, "VOIDED")]
    [english] = [message for message in mail.outbox if message.to == [told.admin.email]]
    [bulgarian] = [message for message in mail.outbox if message.to != [told.admin.email]]
    assert "disput" in str(english.body)
    assert "оспор" in str(bulgarian.body)
    assert canceled.reference in str(english.subject)


@pytest.mark.parametrize("said", [False, True], ids=["by its refund alone", "by its charge as well"])
def test_a_failed_refund_elsewhere_is_in_no_total(told: World, sold: Subscription, said: bool) -> None:
    cancel(told, sold, at=START)
    body = stripe.refund("ch_1", 4000, number="re_t")
    say("refund.created", body, START + timedelta(hours=1))
    if said:
        say("charge.refunded", stripe.charge("ch_1", 10000, refunded=4000), START + timedelta(hours=1))
    assert amounts() == [(6000, "HELD")]
    say("refund.failed", {**body, "status": "failed"}, START + timedelta(hours=2))
    assert amounts() == [(10000, "HELD")]
    if said:
        # The total that still had it comes once more.
        total = stripe.charge("ch_1", 10000, refunded=4000)
        say("charge.refunded", total, START + timedelta(hours=3), at=(START + timedelta(hours=1)).timestamp())
        assert amounts() == [(10000, "HELD")]


@pytest.mark.parametrize("totals", [(3000, 5000), (5000, 3000)], ids=["in order", "swapped"])
def test_of_two_totals_of_one_second_the_higher_counts(
    told: World, sold: Subscription, totals: tuple[int, int]
) -> None:
    cancel(told, sold, at=START)
    for refunded in (*totals, *totals):
        body = stripe.charge("ch_1", 10000, refunded=refunded)
        say("charge.refunded", body, START + timedelta(hours=2), at=(START + timedelta(hours=1)).timestamp())
    assert amounts() == [(5000, "HELD")]
    # A lower total of a later second is news.
    say("charge.updated", stripe.charge("ch_1", 10000, refunded=3000), START + timedelta(hours=2))
    assert amounts() == [(7000, "HELD")]


@pytest.mark.parametrize("kind", ["dispute", "refund"])
def test_an_agreed_amount_comes_back_with_what_was_gone(told: World, sold: Subscription, agent: Any, kind: str) -> None:
    from tests.desk.test_on_behalf import cancel as cancel_for
    from tests.desk.test_on_behalf import quote as quote_for

    cancel_for(agent, sold, quote_for(agent, sold, at=NOW), at=NOW, amount=5000)
    if kind == "dispute":
        body = stripe.dispute("ch_1", 10000)
        say("charge.dispute.created", body, after(hours=1))
        assert amounts() == [(5000, "VOIDED")]
        say("charge.dispute.closed", {**body, "status": "won"}, after(hours=2))
    else:
        body = stripe.refund("ch_1", 8000)
        say("refund.created", body, after(hours=1))
        assert amounts() == [(2000, "HELD")]
        say("refund.failed", {**body, "status": "failed"}, after(hours=2))
    assert amounts()[-1] == (5000, "HELD")


def test_a_debit_on_its_way_is_not_paid(told: World, sold: Subscription) -> None:
    Charge.objects.update(paid=0, in_flight=10000)
    say("charge.updated", stripe.charge("ch_1", 10000, status="pending"), START)
    assert Charge.objects.values_list("paid", "in_flight").get() == (0, 10000)


def test_why_nothing_comes_back_is_said_anew(told: World, sold: Subscription) -> None:
    Charge.objects.update(paid=0, in_flight=10000)
    canceled = cancel(told, sold, at=START)
    for body, kind, reason in (
        (None, "", NoRefundReason.NOTHING_SETTLED),
        (stripe.charge("ch_1", 10000), "charge.succeeded", ""),
        (stripe.dispute("ch_1", 10000, number="dp_r"), "charge.dispute.created", NoRefundReason.DISPUTED),
    ):
        if body:
            say(kind, body, START + timedelta(hours=1))
        canceled.refresh_from_db()
        assert canceled.no_refund_reason == reason


@pytest.mark.parametrize(("waiting", "corrected", "then"), [(2000, 4000, (3000, 2000)), (5000, 6000, (2000, 2000))])
def test_what_waits_by_hand_gets_what_the_rule_leaves(
    told: World, sold: Subscription, waiting: int, corrected: int, then: tuple[int, int]
) -> None:
    half = START + (PERIOD.end - START) / 2
    cancel(told, sold, at=half)
    given = {"charge": Charge.objects.get(), "reason": "goodwill", "due_by": PERIOD.end.date(), "caller": SYSTEM}
    refund_by_hand(amount=waiting, now=half, **given)  # type: ignore[arg-type]
    Task.objects.filter(key=f"refund.submit:{Refund.objects.latest('pk').pk}").update(run_at=after(days=60))
    correct(Charge.objects.get(), corrected, half + timedelta(hours=1), tax=1000)
    assert tuple(amount for amount, _ in amounts()) == then


def test_an_inquiry_takes_nothing_yet(told: World, sold: Subscription) -> None:
    for status in ("warning_needs_response", "warning_under_review", "warning_closed", "of the future"):
        say("charge.dispute.created", stripe.dispute("ch_1", 4000, status=status, number="dp_w"), START)
    assert quote(told, sold).refund.minor_units == 10000


def test_a_refund_elsewhere_that_fails_is_there_again(told: World, sold: Subscription) -> None:
    cancel(told, sold, at=START)
    body = stripe.refund("ch_1", 3000, status="pending", number="re_x")
    say("refund.created", body, START + timedelta(hours=1))
    assert amounts() == [(7000, "HELD")]
    say("refund.failed", {**body, "status": "failed"}, START + timedelta(hours=2))
    assert amounts() == [(10000, "HELD")]
    # An old word after a new one changes nothing.
    say("refund.created", body, START + timedelta(hours=3), at=(START + timedelta(hours=1)).timestamp())
    assert amounts() == [(10000, "HELD")]


def test_a_refund_and_what_its_charge_says_of_it_are_one(told: World, sold: Subscription) -> None:
    say("charge.refunded", stripe.charge("ch_1", 10000, refunded=3000), START)
    say("refund.created", stripe.refund("ch_1", 3000), START)
    say("charge.dispute.created", stripe.dispute("ch_1", 2000), START)
    assert quote(told, sold).refund.minor_units == 5000


def test_what_we_sent_is_none_of_others(told: World, sold: Subscription, server: FakeStripe) -> None:
    cancel(told, sold, at=START)
    server.troubles = ["", "pending"]
    work(START)
    work(START + timedelta(hours=80))
    [part] = RefundPart.objects.all()
    assert part.status == "SENT"
    say("charge.refunded", stripe.charge("ch_1", 10000, refunded=10000), START + timedelta(hours=81))
    assert Charge.objects.get().returned_elsewhere == 0
    assert offline(START + timedelta(hours=81)) == []


def test_what_waits_by_hand_is_lowered_and_staff_hear(told: World, sold: Subscription, settings: Any) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    refund_by_hand(
        charge=Charge.objects.get(), amount=8000, reason="goodwill", due_by=PERIOD.end.date(), caller=SYSTEM, now=NOW
    )
    Task.objects.filter(kind="refund.submit").update(run_at=after(days=30))
    say("charge.dispute.created", stripe.dispute("ch_1", 7000), NOW)
    assert amounts() == [(3000, "PENDING")]
    assert any("80.00 EUR and is 30.00 EUR now" in str(message.subject) for message in mail.outbox)
    assert offline(NOW) == []


def test_a_failed_refund_that_was_paid_in_the_dashboard_is_not_sent_again(
    told: World, sold: Subscription, server: FakeStripe
) -> None:
    cancel(told, sold, at=START)
    server.troubles = ["", "decline"]
    work(START)
    work(START + timedelta(hours=80))
    assert amounts() == [(10000, "FAILED")]
    say("refund.created", stripe.refund("ch_1", 10000), START + timedelta(hours=90))
    assert amounts() == [(10000, "VOIDED")]
    assert not retry_refund(refund=Refund.objects.get(), caller=SYSTEM, now=START + timedelta(hours=91))
    work(START + timedelta(hours=92))
    assert len(server.refunds) == 1


def test_a_payment_that_fails_is_not_waited_for(told: World, sold: Subscription) -> None:
    Charge.objects.update(paid=0, in_flight=10000)
    assert quote(told, sold).pending_charges
    say("charge.failed", stripe.charge("ch_1", 10000, captured=0, status="failed"), START)
    assert not quote(told, sold).pending_charges
    assert quote(told, sold).no_refund_reason == NoRefundReason.NOTHING_SETTLED
    # A later attempt arrives; the old failure comes once more.
    say("charge.succeeded", stripe.charge("ch_1", 10000), START + timedelta(hours=1))
    say("charge.failed", stripe.charge("ch_1", 10000, captured=0, status="failed"), START + timedelta(hours=2))
    assert quote(told, sold).refund.minor_units == 10000


def test_a_partial_payment_returns_what_was_paid(told: World, sold: Subscription) -> None:
    Charge.objects.update(paid=0, in_flight=10000)
    cancel(told, sold, at=START)
    say("charge.succeeded", stripe.charge("ch_1", 10000, captured=2500), START + timedelta(hours=1))
    assert amounts() == [(2500, "HELD")]
    assert Charge.objects.values_list("paid", "in_flight").get() == (2500, 7500)


UNTRUE = {
    "above what was charged": (stripe.refund("ch_1", 10001, number="re_u"), "it is more than was charged"),
    "a negative amount": (stripe.refund("ch_1", -5, number="re_u"), "the amount is below zero"),
    "an endless amount": (stripe.refund("ch_1", 10**30, number="re_u"), "it is more than was charged"),
    "another currency": (stripe.refund("ch_1", 5, number="re_u", currency="usd"), "in another currency"),
}


@pytest.mark.parametrize("what", UNTRUE)
def test_what_cannot_be_true_changes_nothing_and_is_a_finding(
    told: World, sold: Subscription, what: str, settings: Any
) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    body, why = UNTRUE[what]
    before = Charge.objects.values().get()
    for _ in range(2):
        say("refund.created", body, START)
    assert Charge.objects.values().get() == before
    assert not ReturnElsewhere.objects.exists()
    assert ProviderNotice.objects.count() == 1
    [message] = mail.outbox
    assert why in message.body
    [finding] = offline(START)
    assert "re_u" in finding
    ProviderNotice.objects.update(seen_at=NOW)
    assert offline(START) == []


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (stripe.refund("ch_of_others", 500), {}),
        (stripe.dispute("ch_of_others", 500), {}),
        (stripe.refund("ch_1", 500), {"account": "acct_of_others"}),
        (stripe.dispute("ch_1", 500), {"account": "acct_of_others"}),
    ],
)
def test_what_is_none_of_ours_is_answered(told: World, sold: Subscription, body: Any, more: Any) -> None:
    before = Charge.objects.values().get()
    say("refund.created" if body["object"] == "refund" else "charge.dispute.created", body, START, **more)
    assert Charge.objects.values().get() == before
    assert not AuditEvent.objects.exists()
    assert offline(START) == []


def test_yesterdays_signature_is_refused(sold: Subscription) -> None:
    with time_machine.travel(START, tick=False):
        assert stripe.post('{"type": "refund.created"}', at=(START - timedelta(days=1)).timestamp()) == 400


def ended(server: FakeStripe, at: datetime, reason: str = "payment_failed") -> dict[str, Any]:
    """Stripe's dunning, or its dashboard, has ended the subscription."""
    subscription = server.subscriptions[SUBSCRIPTION]
    subscription |= {
        "status": "canceled", "ended_at": int(at.timestamp()), "canceled_at": int(at.timestamp()),
        "cancellation_details": {"comment": None, "feedback": None, "reason": reason},
    }  # fmt: skip
    return subscription


def test_what_ended_at_stripe_is_over_and_promises_nothing(told: World, sold: Subscription, server: FakeStripe) -> None:
    body = ended(server, NOW)
    for _ in range(2):
        say("customer.subscription.deleted", body, after(hours=1))
    decision = SubscriptionBatch.get(told.caller(), sold.pk, after(hours=1)).decisions[sold.pk]
    assert (decision.reason, decision.status) == (Reason.ALREADY_ENDED, Status.EXPIRED)
    sold.refresh_from_db()
    assert (sold.ended_source, sold.ended_reason, sold.period_end) == ("stripe", "payment_failed", NOW)
    assert not Refund.objects.exists()
    assert AuditEvent.objects.filter(action="subscription.ended_elsewhere").count() == 1
    # Nothing revives it, neither a late event nor what Stripe says now.
    server.subscriptions[SUBSCRIPTION] |= {"status": "active"}
    say("customer.subscription.updated", body, after(hours=2))
    work(after(days=20))
    decision = SubscriptionBatch.get(told.caller(), sold.pk, after(hours=3)).decisions[sold.pk]
    assert decision.reason is Reason.ALREADY_ENDED
    assert SubscriptionBatch.get(told.caller(), sold.pk, after(days=40)).decisions[sold.pk].status is Status.DISABLED


def test_what_will_not_renew_at_stripe_ends_by_itself(told: World, sold: Subscription, server: FakeStripe) -> None:
    subscription = server.subscriptions[SUBSCRIPTION]
    for stops in (True, False):
        subscription["cancel_at_period_end"] = stops
        say("customer.subscription.updated", subscription, NOW)
        sold.refresh_from_db()
        assert sold.renews is not stops
    # What we told it ourselves is no news, and an undo brings back what was.
    canceled = cancel(told, sold, Mode.AT_PERIOD_END)
    work(NOW)
    say("customer.subscription.updated", subscription, NOW)
    sold.refresh_from_db()
    assert (sold.renews, sold.canceled_mode) == (True, "AT_PERIOD_END")
    assert canceled.undone_at is None
    assert offline(NOW) == []


def test_staff_hear_when_access_ends_before_it_was_promised(
    told: World, sold: Subscription, server: FakeStripe, settings: Any
) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    cancel(told, sold, Mode.AT_PERIOD_END)
    work(NOW)
    mail.outbox.clear()
    body = ended(server, after(hours=1))
    for _ in range(2):
        say("customer.subscription.deleted", body, after(hours=1))
    [message] = mail.outbox
    assert "access was promised until" in message.subject
    # At the end of the period that is how it should be.
    say("customer.subscription.deleted", body, PERIOD.end)
    assert len(mail.outbox) == 1
