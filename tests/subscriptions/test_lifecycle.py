"""Days pass after a cancellation: refunds, late payments, mail, undo, periods, and the books."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command

from billing.models import Agreement, Charge, Refund, RefundPart
from billing.providers.base import RefundOutcome
from billing.refunds.results import record_provider_event
from outbox.models import Task
from outbox.worker import work_off
from subscriptions.cancellations.service import cancel_subscription, undo_cancellation
from subscriptions.cancellations.signing import quote_id
from subscriptions.idempotency import forget_keys
from subscriptions.models import Cancellation, IdempotencyRecord, Subscription
from subscriptions.policy.facts import Mode
from subscriptions.renewal import roll_periods
from subscriptions.selectors.batches import SubscriptionBatch
from tests.builders import NOW
from tests.providers import TestProvider, pay, used
from tests.reconciling import findings
from tests.world import World

pytestmark = pytest.mark.django_db


def quote_of(world: World, subscription: Subscription, mode: Mode, at: datetime) -> str:
    made = SubscriptionBatch.get(world.caller(), subscription.pk, at).decisions[subscription.pk].quote(mode)
    assert made
    return quote_id(made, tenant_id=world.tenant.pk, subscription_id=subscription.pk)


def cancel(world: World, subscription: Subscription, mode: Mode = Mode.IMMEDIATE, at: datetime = NOW) -> Cancellation:
    return cancel_subscription(
        caller=world.caller(), subscription_id=subscription.pk, quote_id=quote_of(world, subscription, mode, at),
        idempotency_key=f"k{subscription.pk}{at}{mode}", language="en", now=at,
    ).cancellation  # fmt: skip


def work(at: datetime) -> None:
    with time_machine.travel(at, tick=False):
        work_off(lambda: at)


def after(**span: float) -> datetime:
    return NOW + timedelta(**span)


@pytest.fixture
def provider() -> Iterator[TestProvider]:
    with used(TestProvider()) as found:
        yield found


@pytest.fixture
def told(world: World) -> World:
    world.tenant.billing_contact_email = "books@contoso.example"
    world.tenant.billing_contact_language = "bg"
    world.tenant.save()
    return world


def test_a_cancellation_is_told_and_paid_back_and_the_books_add_up(told: World) -> None:
    cancellation = cancel(told, told.subscription())
    work(after(seconds=1))
    by_address = {message.to[0]: message for message in mail.outbox}
    assert set(by_address) == {told.admin.email, "books@contoso.example"}
    english, bulgarian = by_address[told.admin.email], by_address["books@contoso.example"]
    assert cancellation.reference in english.subject
    assert "was canceled" in english.subject
    assert "€4.00 is credited to your account by 31 December 2026 at the latest" in english.body
    assert "Can be undone until" in english.body
    assert "анулиран" in bulgarian.body
    assert cancellation.reference in str(bulgarian.alternatives[0])
    mail.outbox.clear()
    work(after(hours=73))
    work(after(hours=73, seconds=1))
    refund = Refund.objects.get()
    assert refund.status == "SUCCEEDED"
    assert sorted(message.to[0] for message in mail.outbox) == ["books@contoso.example", told.admin.email]
    assert "was credited to your account" in next(m for m in mail.outbox if m.to == [told.admin.email]).subject
    work(after(days=10))
    assert len(mail.outbox) == 2
    assert list(findings(after(days=10))) == []


def test_undo_takes_everything_back_and_says_so(told: World, provider: TestProvider) -> None:
    subscription = told.subscription()
    Agreement.objects.filter(pk=subscription.agreement_id).update(provider="stripe", external_id="s-1")
    cancellation = cancel(told, subscription)
    work(after(seconds=1))
    undo_cancellation(caller=told.caller(), cancellation_id=cancellation.pk, language="en", now=after(hours=1))
    work(after(hours=1, seconds=1))
    work(after(days=30))
    assert provider.stopped == [("stop at period end", "s-1"), ("go on", "s-1")]
    assert provider.paid == {}
    assert Refund.objects.get().status == "VOIDED"
    assert "was undone" in mail.outbox[-1].subject + mail.outbox[-2].subject
    assert list(findings(after(days=30))) == []


def test_undo_before_the_provider_heard_leaves_it_alone(told: World, provider: TestProvider) -> None:
    subscription = told.subscription()
    Agreement.objects.filter(pk=subscription.agreement_id).update(provider="stripe", external_id="s-1")
    cancellation = cancel(told, subscription)
    undo_cancellation(caller=told.caller(), cancellation_id=cancellation.pk, language="en", now=after(hours=1))
    work(after(hours=2))
    assert provider.stopped == []


def test_the_final_stop_comes_when_the_undo_closes(told: World, provider: TestProvider) -> None:
    subscription = told.subscription()
    Agreement.objects.filter(pk=subscription.agreement_id).update(provider="stripe", external_id="s-1")
    cancel(told, subscription)
    provider.troubles = ["timeout before"]
    for hours in (1, 71, 73, 74):
        work(after(hours=hours))
    assert provider.stopped == [("stop at period end", "s-1"), ("stop now", "s-1")]


def pay_and_work(charge: Charge, paid: int, at: datetime) -> None:
    assert pay(charge, paid, at)
    work(at)


def test_a_payment_that_settles_later_makes_a_refund_by_itself(told: World) -> None:
    subscription = told.subscription(charged=None)
    charge = told.charge(subscription, charged=3000, paid=1000, in_flight=2000)
    cancellation = cancel(told, subscription)
    work(after(hours=80))
    assert Refund.objects.count() == 0
    pay_and_work(charge, 3000, after(hours=81))
    work(after(hours=82))
    # 24 of 30 days used: 24.00 of 30.00.
    assert list(Refund.objects.values_list("amount", "status")) == [(600, "SUCCEEDED")]
    assert Refund.objects.get().priced_at == cancellation.priced_at
    assert list(cancellation.refunds.all()) == list(Refund.objects.all())
    assert list(findings(after(hours=83))) == []


@pytest.mark.parametrize(
    ("paid_after", "amounts"), [({"hours": 1}, [600]), ({"hours": 80}, [200, 400])], ids=["held", "sent"]
)
def test_a_later_payment_adds_only_what_is_not_promised_yet(
    told: World, paid_after: dict[str, int], amounts: list[int]
) -> None:
    subscription = told.subscription(charged=None)
    charge = told.charge(subscription, charged=3000, paid=2600, in_flight=400)
    cancel(told, subscription)
    assert list(Refund.objects.values_list("amount", flat=True)) == [200]
    work(after(**paid_after))
    pay_and_work(charge, 3000, after(**paid_after))
    assert list(Refund.objects.order_by("pk").values_list("amount", flat=True)) == amounts
    work(after(hours=100))
    assert list(findings(after(hours=100))) == []


def test_an_undone_cancellation_makes_no_second_refund(told: World) -> None:
    subscription = told.subscription(charged=None)
    charge = told.charge(subscription, charged=3000, paid=1000, in_flight=2000)
    cancellation = cancel(told, subscription)
    undo_cancellation(caller=told.caller(), cancellation_id=cancellation.pk, language="en", now=after(hours=1))
    pay_and_work(charge, 3000, after(hours=80))
    assert not Refund.objects.exists()


def test_staff_and_once_the_tenant_hear_of_a_late_refund(told: World, provider: TestProvider, settings: Any) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    cancel(told, told.subscription())
    work(after(seconds=1))
    mail.outbox.clear()
    provider.troubles = ["decline"]
    for hours in (73, 74, 75, 200):
        work(after(hours=hours))
    assert Refund.objects.get().status == "FAILED"
    assert sorted(message.to[0] for message in mail.outbox) == [
        "books@contoso.example", "desk@wayout.example", told.admin.email,
    ]  # fmt: skip
    assert list(findings(after(hours=201))) == [f"refund {Refund.objects.get().pk}: it failed and waits for staff"]


def test_who_was_told_that_it_came_back_hears_when_a_bank_returns_it_and_when_it_comes_after_all(
    told: World, provider: TestProvider, settings: Any
) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    cancel(told, told.subscription())
    work(after(hours=73))
    work(after(hours=73, seconds=1))
    [key] = provider.results
    for days, outcome in ((6, RefundOutcome.FAILED), (7, RefundOutcome.SUCCEEDED), (8, RefundOutcome.FAILED)):
        mail.outbox.clear()
        provider.settle(key, outcome)
        record_provider_event(provider="ledger", key=key, result=provider.results[key], now=after(days=days))
        for second in range(3):
            work(after(days=days, seconds=second))
        customers = {told.admin.email, "books@contoso.example"}
        if outcome is RefundOutcome.FAILED:
            assert {message.to[0] for message in mail.outbox} == customers | {"desk@wayout.example"}
            assert any("is late" in message.subject for message in mail.outbox)
        else:
            assert {message.to[0] for message in mail.outbox} == customers
            assert any("was credited to your account" in message.subject for message in mail.outbox)
        assert len(mail.outbox) == len({message.to[0] for message in mail.outbox})


def test_periods_roll_by_their_term_without_drifting(world: World) -> None:
    start, end = datetime(2026, 1, 30, 22, tzinfo=NOW.tzinfo), datetime(2026, 2, 27, 22, tzinfo=NOW.tzinfo)
    subscription = world.subscription(period_start=start, period_end=end, anchored_at=start)
    still = world.subscription(renews=False, period_start=start, period_end=end)
    for at in (end - timedelta(seconds=1), end, NOW):
        roll_periods(at)
        subscription.refresh_from_db()
        assert subscription.period_start
        assert subscription.period_end
        assert subscription.period_start <= at < subscription.period_end
    # Anchored on the 31st: the period of 25 November began on 31 October.
    assert subscription.period_start == datetime(2026, 10, 30, 22, tzinfo=NOW.tzinfo)
    still.refresh_from_db()
    assert still.period_end == end


def test_old_keys_are_forgotten(world: World) -> None:
    cancel(world, world.subscription())
    forget_keys(after(days=29))
    assert IdempotencyRecord.objects.count() == 1
    forget_keys(after(days=31))
    assert IdempotencyRecord.objects.count() == 0


@pytest.mark.parametrize(
    "wrong", ["reserved", "part", "undone", "mode", "given up", "stuck", "lost", "unpaid", "foreign"]
)
def test_reconcile_finds_what_does_not_add_up(world: World, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    cancel(world, world.subscription())
    at = after(hours=74) if wrong in ("unpaid", "foreign") else after(seconds=1)
    if wrong in ("unpaid", "foreign"):
        work(after(hours=73))
    assert list(findings(at)) == []
    match wrong:
        case "reserved":
            Charge.objects.update(refunded=1)
        case "part":
            RefundPart.objects.update(amount=1)
        case "undone":
            Cancellation.objects.update(undone_at=NOW)
        case "mode":
            Subscription.objects.update(canceled_mode=Mode.AT_PERIOD_END)
        case "stuck":
            Task.objects.filter(kind="refund.submit").update(status="STUCK")
        case "given up":
            Task.objects.filter(kind="refund.submit").update(status="GIVEN_UP")
        case "lost":
            Task.objects.filter(kind="refund.submit").delete()
        case "unpaid":
            RefundPart.objects.get().charge.ledger_entries.all().delete()
        case "foreign":
            RefundPart.objects.get().charge.ledger_entries.update(key="x")
    found = list(findings(at))
    assert found
    with time_machine.travel(at, tick=False), pytest.raises(SystemExit):
        call_command("reconcile")
    *printed, said = capsys.readouterr().out.splitlines()
    # Below each what to do about it.
    assert printed[::2] == found
    assert all(line.startswith("    ") and line.endswith(".") for line in printed[1::2])
    assert said == ("1 finding." if len(found) == 1 else f"{len(found)} findings.")


@pytest.mark.parametrize(
    "name", ["Office\r\nBcc: x@y.example", "Office\nCredit: EUR 1,000", "\x0bOffice\x1c\x85\u2028Suite"]
)
def test_whatever_a_product_is_called_the_receipt_arrives_and_no_line_is_made_up(told: World, name: str) -> None:
    subscription = told.subscription()
    subscription.plan.name = name
    subscription.plan.save()
    told.tenant.name = name
    told.tenant.save()
    cancellation = cancel(told, subscription)
    work(NOW)
    receipt = next(message for message in mail.outbox if cancellation.reference in message.subject)
    assert receipt.subject.splitlines() == [receipt.subject]
    assert "Bcc" not in receipt.message()
    lines = receipt.body.splitlines()
    assert not [line for line in lines if line.startswith(("Bcc", "Credit: EUR 1,000"))]
    assert [line.partition(":")[0] for line in lines].count("Абонамент") == 1
