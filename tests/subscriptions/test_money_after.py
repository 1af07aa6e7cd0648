"""Facts that arrive after the decision: what was not sent is made right, what is missing comes back, staff hear of the rest."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import transaction

from billing.charges import ChargeInput, record_charge, record_correction
from billing.models import Agreement, Charge, Correction, Refund, RefundPart
from billing.periods import Period
from billing.providers.base import RefundOutcome
from billing.refunds.late import overdue
from billing.refunds.repricing import retry_refund
from billing.refunds.requests import settle_by_hand
from billing.refunds.results import record_provider_event
from billing.selectors import late_charges
from outbox.models import Task
from subscriptions.cancellations.receipt import make_receipt
from subscriptions.cancellations.service import undo_cancellation
from subscriptions.models import Cancellation, CancellationPolicy, Subscription
from subscriptions.policy.facts import Mode
from tenants.callers import Role
from tenants.models import AuditEvent
from tenants.people import SYSTEM
from tests.builders import NOW, PERIOD
from tests.imports import import_files
from tests.providers import TestProvider, pay, used
from tests.reconciling import findings
from tests.subscriptions.test_lifecycle import after, cancel, told, work
from tests.world import World

__all__ = ["told"]

pytestmark = pytest.mark.django_db
HALF = PERIOD.start + (PERIOD.end - PERIOD.start) / 2
DECEMBER = Period(PERIOD.end, PERIOD.end + timedelta(days=31))


def correct(charge: Charge, amount: int, at: datetime, tax: int = 0) -> None:
    with transaction.atomic():
        charge.refresh_from_db()
        assert record_correction(
            charge=charge, external_id=f"k{amount}", amount=charge.money(amount), tax=tax, corrected_at=at, now=at
        )
    work(at)


def bill(subscription: Subscription, period: Period, charged: int, at: datetime, **given: Any) -> Charge:
    """A charge that comes in at ``at``."""
    values = {"external_id": f"late-{at}", "seats": 1, "charged": charged, "tax": 0, "paid": charged, **given}
    with transaction.atomic():
        agreement = Agreement.objects.select_for_update().get(pk=subscription.agreement_id)
        charge = ChargeInput(description="E3", period=period, charged_at=period.start, currency="EUR", **values)
        assert record_charge(agreement=agreement, charge=charge, now=at)
    return Charge.objects.get(external_id=values["external_id"])


def amounts() -> list[tuple[int, str]]:
    return list(Refund.objects.order_by("pk").values_list("amount", "status"))


@pytest.mark.parametrize(("at", "back"), [(PERIOD.start, 7000), (HALF, 3500)], ids=["at the start", "at half"])
def test_a_correction_prices_again_what_is_held(told: World, at: datetime, back: int) -> None:
    subscription = told.subscription(charged=10000)
    cancellation = cancel(told, subscription, at=at)
    work(at)
    assert amounts() == [(10000 if at == PERIOD.start else 5000, "HELD")]
    mail.outbox.clear()
    correct(Charge.objects.get(), 3000, at + timedelta(hours=1))
    # With the 30.00 of the correction that is all that was due, and no more.
    assert amounts() == [(back, "HELD")]
    assert Charge.objects.get().refunded == back
    assert {message.to[0] for message in mail.outbox} == {told.admin.email, "books@contoso.example"}
    assert all(
        f"{back / 100:.2f}" in str(m.body) or f"{back / 100:.2f}".replace(".", ",") in str(m.body) for m in mail.outbox
    )
    assert AuditEvent.objects.get(action="refund.repriced").data["before"] == str(10000 if back == 7000 else 5000)
    work(at + timedelta(hours=73))
    assert amounts() == [(back, "SUCCEEDED")]
    assert list(findings(at + timedelta(hours=73))) == []
    assert cancellation.refunds.count() == 1


def test_a_correction_of_all_that_is_held_voids_it(told: World) -> None:
    cancel(told, told.subscription(charged=10000), at=PERIOD.start)
    correct(Charge.objects.get(), 10000, PERIOD.start + timedelta(hours=1))
    assert amounts() == [(10000, "VOIDED")]
    assert Charge.objects.get().refunded == 0
    assert any("nothing is left of it" in message.subject for message in mail.outbox)
    work(PERIOD.start + timedelta(hours=80))
    assert list(findings(PERIOD.start + timedelta(hours=80))) == []


def test_a_correction_after_the_money_left_takes_nothing_back_and_staff_are_told(told: World, settings: Any) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    cancel(told, told.subscription(charged=10000), at=PERIOD.start)
    work(PERIOD.start + timedelta(hours=73))
    mail.outbox.clear()
    correct(Charge.objects.get(), 3000, PERIOD.start + timedelta(hours=80))
    assert amounts() == [(10000, "SUCCEEDED")]
    [message] = mail.outbox
    assert message.to == ["desk@wayout.example"]
    assert "100.00 EUR" in message.subject
    assert "70.00 EUR" in message.subject
    [finding] = findings(PERIOD.start + timedelta(hours=81))
    assert "by the facts since 70.00 EUR is due" in finding
    # Said once, whatever else comes.
    correct(Charge.objects.get(), 1, PERIOD.start + timedelta(hours=82))
    assert len(mail.outbox) == 2


def test_what_failed_is_sent_again_as_low_as_the_facts_make_it(told: World) -> None:
    cancel(told, told.subscription(charged=10000), at=PERIOD.start)
    with used(TestProvider()) as provider:
        provider.troubles = ["decline"]
        work(PERIOD.start + timedelta(hours=73))
        correct(Charge.objects.get(), 3000, PERIOD.start + timedelta(hours=80))
        assert amounts() == [(7000, "FAILED")]
        assert retry_refund(refund=Refund.objects.get(), caller=SYSTEM, now=PERIOD.start + timedelta(hours=81))
        work(PERIOD.start + timedelta(hours=82))
        assert amounts() == [(7000, "SUCCEEDED")]
        assert [order.amount.minor_units for order in provider.paid.values()] == [7000]
        assert list(findings(PERIOD.start + timedelta(hours=83))) == []


def test_what_is_sent_again_is_what_is_due_by_then(told: World) -> None:
    subscription = told.subscription(charged=None)
    charge = told.charge(subscription, charged=10000, paid=5000)
    with used(TestProvider()) as provider:
        cancel(told, subscription, at=PERIOD.start)
        work(PERIOD.start + timedelta(hours=73))
        at = PERIOD.start + timedelta(hours=74)
        assert pay(charge, 10000, at)
        work(at)
        assert amounts() == [(5000, "SUCCEEDED"), (5000, "SUCCEEDED")]
        correct(charge, 6000, PERIOD.start + timedelta(hours=80))
        first = Refund.objects.earliest("pk")
        key = str(first.parts.get().pk)
        provider.settle(key, RefundOutcome.FAILED)
        record_provider_event(
            provider="ledger", key=key, result=provider.results[key], now=PERIOD.start + timedelta(hours=90)
        )
        work(PERIOD.start + timedelta(hours=90))
        first.refresh_from_db()
        assert first.status == "FAILED"
        # 50.00 arrived, 40.00 was due: nothing is to be sent again.
        assert retry_refund(refund=first, caller=SYSTEM, now=PERIOD.start + timedelta(hours=91))
        work(PERIOD.start + timedelta(hours=92))
        assert amounts() == [(5000, "VOIDED"), (5000, "SUCCEEDED")]
        assert Charge.objects.get().refunded == 5000
        [finding] = findings(PERIOD.start + timedelta(hours=93))
    assert "by the facts since 40.00 EUR is due" in finding


def test_tax_follows_the_amount(told: World) -> None:
    subscription = told.subscription(charged=None)
    charge = told.charge(subscription, charged=12000, tax=2000)
    cancel(told, subscription, at=PERIOD.start)
    correct(charge, 6000, PERIOD.start + timedelta(hours=1), tax=1000)
    assert RefundPart.objects.values_list("amount", "tax").get() == (6000, 1000)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("hours", [1, 100], ids=["undo open", "undo closed"])
def test_a_charge_for_time_after_the_end_comes_back_whole(told: World, mode: Mode, hours: int) -> None:
    subscription = told.subscription(charged=2000)
    before = (subscription.period_start, subscription.period_end)
    cancellation = cancel(told, subscription, mode)
    work(NOW)
    had = len(amounts())
    mail.outbox.clear()
    at = NOW + timedelta(hours=hours)
    bill(subscription, DECEMBER, 2000, at)
    assert any("bills time after a cancellation, 20.00 EUR is not back" in finding for finding in findings(at))
    work(at)
    assert Refund.objects.latest("pk").amount == 2000
    assert len(amounts()) == had + 1
    assert set(cancellation.refunds.all()) == set(Refund.objects.all())
    assert any("Your credit has changed" in message.subject for message in mail.outbox)
    work(PERIOD.end + timedelta(days=1))
    assert {status for _, status in amounts()} == {"SUCCEEDED"}
    assert list(findings(PERIOD.end + timedelta(days=1))) == []
    subscription.refresh_from_db()
    assert (subscription.period_start, subscription.period_end) == before


def test_a_charge_renewed_a_minute_before_comes_back_by_the_same_rule(told: World) -> None:
    subscription = told.subscription(charged=None)
    began = Period(NOW - timedelta(minutes=1), NOW + timedelta(days=30))
    cancel(told, subscription)
    assert not Refund.objects.exists()
    bill(subscription, began, 3000, NOW + timedelta(hours=1))
    work(NOW + timedelta(hours=1))
    assert amounts() == [(3000, "HELD")]


def test_what_undo_gives_back_is_not_returned_too(told: World) -> None:
    subscription = told.subscription(charged=2000)
    cancellation = cancel(told, subscription)
    bill(subscription, DECEMBER, 2000, NOW + timedelta(hours=1))
    work(NOW + timedelta(hours=1))
    undo_cancellation(
        caller=told.caller(), cancellation_id=cancellation.pk, language="en", now=NOW + timedelta(hours=2)
    )
    bill(subscription, Period(DECEMBER.end, DECEMBER.end + timedelta(days=31)), 2000, NOW + timedelta(hours=3))
    work(NOW + timedelta(days=60))
    assert {status for _, status in amounts()} == {"VOIDED"}
    assert set(Charge.objects.values_list("refunded", flat=True)) == {0}


def test_a_late_charge_that_nobody_paid_is_said_until_it_is_gone(told: World) -> None:
    subscription = told.subscription(charged=2000)
    cancel(told, subscription)
    charge = bill(subscription, DECEMBER, 2000, NOW + timedelta(hours=1), paid=0)
    work(NOW + timedelta(hours=80))
    assert [amount for amount, _ in amounts()] == [400]
    [finding] = findings(NOW + timedelta(hours=81))
    assert "20.00 EUR is not back yet, 0.00 EUR was paid" in finding
    correct(charge, 2000, NOW + timedelta(hours=82))
    assert list(findings(NOW + timedelta(hours=83))) == []


def test_a_payment_that_nobody_waited_for_comes_back_by_the_same_rule(told: World) -> None:
    subscription = told.subscription(charged=None)
    charge = told.charge(subscription, charged=10000, paid=0)
    cancel(told, subscription, at=HALF)
    assert not Refund.objects.exists()
    told.tenant.time_zone = "Pacific/Auckland"
    told.tenant.save()
    at = HALF + timedelta(days=40)
    assert pay(charge, 10000, at)
    work(at)
    assert amounts()[0][0] == 5000


def test_what_a_supervisor_settled_on_stays_as_far_as_it_was_paid(told: World, agent: Any) -> None:
    from tests.desk.test_on_behalf import cancel as cancel_for
    from tests.desk.test_on_behalf import quote

    subscription = told.subscription(charged=10000)
    cancel_for(agent, subscription, quote(agent, subscription, at=NOW), at=NOW, amount=9000)
    charge = Charge.objects.get()
    correct(charge, 500, NOW + timedelta(hours=1))
    assert amounts() == [(9000, "HELD")]
    correct(charge, 2500, NOW + timedelta(hours=2))
    assert amounts() == [(7000, "HELD")]
    bill(subscription, DECEMBER, 2000, NOW + timedelta(hours=3))
    work(NOW + timedelta(hours=3))
    assert amounts() == [(7000, "HELD"), (2000, "HELD")]


@pytest.mark.parametrize("given", [{"channel": "PREPAID"}, {"is_trial": True}], ids=["product key", "trial"])
def test_what_was_billed_ahead_comes_back_whatever_else_happens(told: World, given: dict[str, Any]) -> None:
    subscription = told.subscription(charged=None, **given)
    told.charge(subscription, period_start=DECEMBER.start, period_end=DECEMBER.end, charged=3000)
    cancel(told, subscription, Mode.AT_PERIOD_END)
    assert amounts() == [(3000, "HELD")]
    correct(Charge.objects.get(), 1, NOW + timedelta(hours=1))
    assert amounts() == [(2999, "HELD")]


def test_a_product_key_returns_nothing_of_its_own_time(told: World) -> None:
    subscription = told.subscription(charged=2000, channel="PREPAID")
    cancel(told, subscription)
    correct(Charge.objects.get(), 100, NOW + timedelta(hours=1))
    assert amounts() == []
    bill(subscription, DECEMBER, 2000, NOW + timedelta(hours=2))
    work(NOW + timedelta(hours=2))
    assert amounts() == [(2000, "HELD")]


def test_what_begins_as_it_is_canceled_is_priced_again_as_it_was_quoted(told: World) -> None:
    CancellationPolicy.objects.update(proration_convention="CALENDAR_DAY_INCLUSIVE")
    subscription = told.subscription(charged=None, channel="PREPAID")
    told.charge(subscription, period_start=NOW, period_end=NOW + timedelta(days=31), charged=3100)
    cancel(told, subscription)
    # It has begun: the day of canceling is used.
    assert amounts() == [(3000, "HELD")]
    # A first look at the facts of now finds the same.
    bill(subscription, Period(DECEMBER.end, DECEMBER.end + timedelta(days=31)), 0, NOW + timedelta(hours=1))
    work(NOW + timedelta(hours=1))
    assert amounts() == [(3000, "HELD")]


def test_repeating_changes_nothing(told: World) -> None:
    cancel(told, told.subscription(charged=10000), at=PERIOD.start)
    correct(Charge.objects.get(), 3000, PERIOD.start + timedelta(hours=1))
    events, mails = AuditEvent.objects.count(), len(mail.outbox)
    Task.objects.filter(kind="agreement.reprice").update(status="WAITING")
    work(PERIOD.start + timedelta(hours=2))
    assert amounts() == [(7000, "HELD")]
    assert (AuditEvent.objects.count(), len(mail.outbox)) == (events, mails)


HEADER = "charge_id,product,subscription_id,seats,charged,settled,currency,period_start,period_end,corrects\n"


@pytest.fixture
def imported(tmp_path: Path) -> Any:
    """Imports rows of charges beside one user, and answers with what was printed."""
    users, charges = tmp_path / "users.csv", tmp_path / "charges.csv"
    users.write_text("User principal name,Display name,Licenses\na@x.example,Ada,E3\n")

    def run(*rows: str, at: datetime = NOW, **options: Any) -> str:
        charges.write_text(HEADER + "\n".join(rows) + "\n")
        with time_machine.travel(at, tick=False):
            said, _ = import_files(tenant="x.example", users=users, charges=charges, **options)
        return " ".join(said.split())

    return run


def test_an_import_says_what_came_after_the_decision(imported: Any) -> None:
    november = "c1,E3,s1,5,100.00,100.00,EUR,2026-11-01,2026-12-01,"
    imported(november)
    subscription = Subscription.objects.get(external_id="s1")
    world = World(subscription.tenant, None)  # type: ignore[arg-type]
    world.admin = world.person(Role.GLOBAL_ADMIN)
    cancel(world, subscription)
    promised = Refund.objects.get().amount
    dry = imported(november, "c2,E3,s1,5,100.00,100.00,EUR,2026-12-01,2027-01-01,", at=after(hours=1), dry_run=True)
    assert "c2 came after its subscription was canceled: 100.00 EUR of it goes back by" in dry
    assert amounts() == [(promised, "HELD")]
    text = imported(
        november,
        "c2,E3,s1,5,100.00,100.00,EUR,2026-12-01,2027-01-01,",
        "c3,E3,s1,5,50.00,0,EUR,2027-01-01,2027-02-01,",
        "k1,E3,s1,5,-10.00,0,EUR,2026-11-01,2026-12-01,c1",
        at=after(hours=1),
    )
    assert "c2 came after its subscription was canceled: 100.00 EUR of it goes back by" in text
    assert "c3 bills time after its subscription was canceled. Nothing of it was paid" in text
    assert f"{promised / 100:.2f} EUR was to go back, by these charges it is" in text
    subscription.refresh_from_db()
    assert subscription.period_end == PERIOD.end
    assert Correction.objects.count() == 1
    assert Cancellation.objects.get().refunds.count() == 2


def test_a_charge_of_an_import_begun_before_the_decision_came_after_it(told: World) -> None:
    """Its rows are dated by the start of the import, and written when the cancellation is."""
    subscription = told.subscription()
    cancel(told, subscription)
    charge = bill(subscription, DECEMBER, 1000, after(hours=-1))
    assert charge.recorded_at > NOW
    assert list(late_charges()) == [charge]


def test_of_a_charge_that_came_late_what_is_after_the_end_comes_back(told: World) -> None:
    """Seats added on 16 November for thirty days, of a subscription that ends on 1 December."""
    subscription = told.subscription()
    canceled = cancel(told, subscription, Mode.AT_PERIOD_END)
    added = Period(PERIOD.end - timedelta(days=15), PERIOD.end + timedelta(days=15))
    charge = bill(subscription, added, 3000, after(hours=1))
    # Wholly before the end, it can be used.
    bill(subscription, Period(added.start, PERIOD.end), 500, after(hours=2))
    work(after(hours=3))
    [refund] = canceled.refunds.all()
    assert list(refund.parts.values_list("charge", "amount")) == [(charge.pk, 1500)]
    subscription.refresh_from_db()
    assert subscription.period_end == PERIOD.end
    work(PERIOD.end + timedelta(hours=1))
    refund.refresh_from_db()
    assert refund.status == "SUCCEEDED"
    assert list(findings(PERIOD.end + timedelta(hours=1))) == []


def test_mail_and_receipt_say_what_arrived_and_what_is_still_to_come(told: World) -> None:
    subscription = told.subscription(charged=10000)
    told.charge(subscription, charged=5000)
    with used(TestProvider()) as provider:
        canceled = cancel(told, subscription, at=PERIOD.start)
        work(PERIOD.start)
        mail.outbox.clear()
        provider.troubles = ["", "decline"]
        work(PERIOD.start + timedelta(hours=73))
        work(PERIOD.start + timedelta(hours=74))
    [refund] = canceled.refunds.all()
    assert refund.status == "PARTIALLY_SUCCEEDED"
    [arrived] = refund.parts.filter(status="SUCCEEDED").values_list("amount", flat=True)
    said = {10000: ("100", "50"), 5000: ("50", "100")}[arrived]
    [english] = [message for message in mail.outbox if message.subject.startswith("€")]
    assert english.subject.startswith(f"€{said[0]}.00 of your credit has arrived, €{said[1]}.00 is late")
    assert f"Credit: €{said[0]}.00 was credited to your account" in english.body
    assert f"Credit: €{said[1]}.00 is credited to your account by" in english.body
    assert "150.00" not in english.subject + english.body.split("How it was computed")[0]


def test_what_was_credited_before_staff_settled_the_rest_was_not_paid(told: World) -> None:
    subscription = told.subscription(charged=10000)
    told.charge(subscription, charged=5000)
    with used(TestProvider()) as provider:
        canceled = cancel(told, subscription, at=PERIOD.start)
        work(PERIOD.start)
        provider.troubles = ["", "decline"]
        work(PERIOD.start + timedelta(hours=73))
    [refund] = canceled.refunds.all()
    [credited] = refund.parts.filter(status="SUCCEEDED").values_list("amount", flat=True)
    mail.outbox.clear()
    at = PERIOD.start + timedelta(hours=80)
    settle_by_hand(refund=refund, reason="by bank", caller=SYSTEM, now=at)
    work(at)
    in_english = [
        f"€{credited // 100}.00 was credited to your account",
        f"€{150 - credited // 100}.00 was paid back to you",
    ]
    [english] = [message for message in mail.outbox if message.to == [told.admin.email]]
    assert english.subject.startswith(". ".join(in_english))
    for sentence in in_english:
        assert f"Credit: {sentence}" in english.body
    [bulgarian] = [message for message in mail.outbox if message.to != [told.admin.email]]
    assert "По акаунта ви са начислени" in bulgarian.subject
    assert "Върнахме ви" in bulgarian.subject
    assert "150" not in english.subject + bulgarian.subject


def test_a_receipt_has_no_empty_row(told: World) -> None:
    subscription = told.subscription(charged=None)
    charge = told.charge(subscription, charged=10000, paid=0, in_flight=10000)
    canceled = cancel(told, subscription, at=HALF)
    at = HALF + timedelta(hours=1)
    pay(charge, 10000, at)
    work(at)
    rows = make_receipt(canceled, list(canceled.refunds.all()), at).rows
    assert any("is credited to your account by" in said for _label, said in rows)
    assert all(said.strip() for _label, said in rows)


def test_what_is_undone_after_a_late_charge_goes_on_at_the_provider(told: World) -> None:
    with used(TestProvider()) as provider:
        subscription = told.subscription()
        Agreement.objects.filter(pk=subscription.agreement_id).update(provider="stripe", external_id="s-1")
        cancellation = cancel(told, subscription)
        work(NOW)
        # The provider is to be told once more, and nobody has worked yet.
        bill(subscription, DECEMBER, 1000, after(minutes=1))
        undo_cancellation(caller=told.caller(), cancellation_id=cancellation.pk, language="en", now=after(minutes=1))
        work(after(minutes=2))
        assert provider.stopped == [("stop at period end", "s-1"), ("go on", "s-1")]
        assert findings(after(hours=1)) == []


@pytest.mark.parametrize("form", ["ledger", "owed"])
def test_what_came_while_no_worker_worked_is_priced_before_anything_is_sent(told: World, form: str) -> None:
    subscription = told.subscription(charged=10_000)
    Agreement.objects.filter(pk=subscription.agreement_id).update(provider=form)
    cancellation = cancel(told, subscription)
    work(NOW)
    charge = Charge.objects.get()
    promised = Refund.objects.get().amount
    at = after(hours=80)
    with transaction.atomic():
        assert record_correction(
            charge=charge, external_id="k", amount=charge.money(10_000), tax=0, corrected_at=at, now=at
        )
    # The undo has closed long ago: sending is due, and older than what came.
    work(after(hours=81))
    assert promised
    assert amounts() == [(promised, "VOIDED")]
    assert Cancellation.objects.get(pk=cancellation.pk).no_refund_reason


def failed_refund(told: World, *charged: int) -> TestProvider:
    """Nothing of the money has left, and the provider says that it never will."""
    subscription = told.subscription(charged=None)
    for number, amount in enumerate(charged):
        told.charge(subscription, external_id=f"ch_{number}", charged=amount)
    cancel(told, subscription, at=PERIOD.start)
    with used(TestProvider()) as provider:
        provider.troubles = ["decline"]
        work(PERIOD.start + timedelta(hours=73))
    return provider


def test_what_failed_becomes_less_by_itself_when_less_is_due(told: World, settings: Any) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    failed_refund(told, 10_000)
    assert amounts() == [(10_000, "FAILED")]
    mail.outbox.clear()
    correct(Charge.objects.get(), 9_000, PERIOD.start + timedelta(days=5))
    assert amounts() == [(1_000, "FAILED")]
    # Nothing was sent, so nothing of it is too much.
    assert not [message for message in mail.outbox if "taken back" in message.subject]
    assert not RefundPart.objects.filter(amount_by_rule__isnull=False).exists()
    cancellation = Cancellation.objects.get()
    text = make_receipt(cancellation, cancellation.refunds.all(), PERIOD.start + timedelta(days=6)).text
    assert "€10.00" in text
    assert "€100.00" not in text.partition("Credit")[2]
    correct(Charge.objects.get(), 1_000, PERIOD.start + timedelta(days=7))
    assert amounts() == [(1_000, "VOIDED")]
    assert Charge.objects.get().refunded == 0


def test_a_part_that_failed_and_is_due_no_more_lets_the_others_be_enough(told: World) -> None:
    provider = failed_refund(told, 10_000, 6_000)
    assert sorted(RefundPart.objects.values_list("status", flat=True)) == ["FAILED", "SUCCEEDED"]
    failed = RefundPart.objects.get(status="FAILED").charge
    at = PERIOD.start + timedelta(days=5)
    with used(provider):
        correct(failed, failed.charged, at)
        work(at + timedelta(minutes=1))
        assert sorted(amounts()) == sorted([(16_000 - failed.charged, "SUCCEEDED"), (failed.charged, "VOIDED")])
        # The provider knows the key of the part that failed, and so do we.
        assert findings(at + timedelta(hours=1)) == []
    assert {charge.refunded for charge in Charge.objects.all()} == {0, 16_000 - failed.charged}


def test_what_is_back_elsewhere_of_a_late_charge_is_back(told: World) -> None:
    subscription = told.subscription()
    cancel(told, subscription)
    charge = bill(subscription, DECEMBER, 10_000, after(hours=1))
    Charge.objects.filter(pk=charge.pk).update(returned_elsewhere=10_000)
    assert not [said for said in findings(after(hours=2), ask_provider=False) if "not back yet" in said]


@pytest.mark.parametrize(
    ("zone", "hours", "is_overdue"),
    [("America/Los_Angeles", 31, False), ("America/Los_Angeles", 32, True), ("Pacific/Auckland", 10, False),
     ("Pacific/Auckland", 12, True), ("UTC", 23, False), ("UTC", 24, True)],
)  # fmt: skip
def test_a_refund_is_overdue_once_its_day_is_over_where_the_customer_is(
    told: World, zone: str, hours: int, is_overdue: bool
) -> None:
    cancel(told, told.subscription())
    told.tenant.time_zone = zone
    told.tenant.save()
    day = date(2026, 12, 31)
    Refund.objects.update(due_by=day)
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hours)
    assert Refund.objects.filter(overdue(at)).exists() is is_overdue
    assert bool([said for said in findings(at, ask_provider=False) if "due by" in said]) is is_overdue


@pytest.mark.parametrize(("corrected", "standing"), [(9_000, [(1_000, "SUCCEEDED")]), (10_000, [(10_000, "VOIDED")])])
def test_what_was_paid_after_all_though_less_was_due_by_then_is_named(
    told: World, settings: Any, corrected: int, standing: list[tuple[int, str]]
) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    provider = failed_refund(told, 10_000)
    key, at = RefundPart.objects.get().key, PERIOD.start + timedelta(days=5)
    with used(provider):
        correct(Charge.objects.get(), corrected, at)
        provider.paid[key] = provider.asked[key]
        provider.settle(key)
        name = Refund.objects.get().provider
        record_provider_event(provider=name, key=key, result=provider.results[key], now=at)
        work(at)
        assert amounts() == standing
        # 100.00 left, whatever we say by now.
        assert [said for said in findings(at + timedelta(hours=1)) if "the provider" in said]
