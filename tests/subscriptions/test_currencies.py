"""A currency that ended while something was billed in it: one agreement spans it and its successor."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
import time_machine
from django.core import mail

from billing.errors import RefundAmountMissing
from billing.models import Agreement, Charge, LedgerEntry, Refund, RefundPart
from billing.money import Money
from billing.periods import Period
from billing.providers import provider
from billing.providers.base import RefundOutcome, RefundRequest
from billing.refunds.requests import refund_by_hand
from billing.selectors import statement
from subscriptions.cancellations.receipt import make_receipt
from subscriptions.models import Cancellation, Subscription
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.models import AuditEvent
from tenants.people import SYSTEM
from tests.billing.conftest import server
from tests.billing.fake_stripe import FakeStripe
from tests.builders import at
from tests.imports import import_files
from tests.reconciling import findings
from tests.subscriptions.test_lifecycle import cancel, told, work
from tests.subscriptions.test_money_after import bill, correct
from tests.subscriptions.test_money_in_files import world
from tests.world import World

__all__ = ["server", "told"]

pytestmark = pytest.mark.django_db
NOW = at("2026-11-25T10:00:00+00:00")
YEAR = {"period_start": at("2025-12-09T22:00:00+00:00"), "period_end": at("2026-12-09T22:00:00+00:00")}


def in_leva(told: World, **given: Any) -> Subscription:
    """A year in advance, paid in leva in December 2025."""
    subscription = told.subscription(charged=None, term_months=12, **YEAR)
    Agreement.objects.filter(pk=subscription.agreement_id).update(currency="BGN")
    values = {"external_id": "ch_1", "currency": "BGN", "charged": 120000, "tax": 20000, **given}
    told.charge(subscription, **{**values, **YEAR})
    return Subscription.objects.get(pk=subscription.pk)


def quote(told: World, subscription: Subscription, now: datetime = NOW) -> Any:
    [found] = SubscriptionBatch.get(told.caller(), subscription.pk, now).decisions[subscription.pk].quotes[:1]
    return found


def test_what_was_paid_in_leva_comes_back_in_euro(told: World) -> None:
    subscription = in_leva(told)
    promised = quote(told, subscription)
    # 350 of 365 days are used: 49.32 of 1,200.00 leva are left, and that is divided once.
    [line] = promised.lines
    assert line.own.refund == Money(4932, "BGN")
    assert promised.refund == line.refund == Money(2522, "EUR")
    assert line.charged == Money(61355, "EUR")
    cancel(told, subscription, at=NOW)
    assert Refund.objects.values_list("amount", "currency").get() == (2522, "EUR")
    assert RefundPart.objects.values_list("amount", "promised", "tax").get() == (4932, 2522, 822)
    assert Charge.objects.get().refunded == 4932
    evidence = Cancellation.objects.get().quote["lines"][0]
    assert evidence["refund"] == {"minor_units": 2522, "currency": "EUR"}
    assert evidence["original"]["refund"] == {"minor_units": 4932, "currency": "BGN"}
    after = at("2026-11-29T10:00:00+00:00")
    work(after)
    assert Refund.objects.get().status == "SUCCEEDED"
    assert LedgerEntry.objects.values_list("amount", "currency").get() == (2522, "EUR")
    books = {book.currency: book.lines[-1].balance for book in statement(told.tenant.billing_account.pk)}
    assert books == {"BGN": Money(0, "BGN"), "EUR": Money(-2522, "EUR")}
    assert list(findings(after)) == []


def test_in_its_own_days_it_is_promised_in_leva(told: World) -> None:
    promised = quote(told, in_leva(told), at("2025-12-20T10:00:00+00:00"))
    assert promised.refund == Money(116712, "BGN")
    assert promised.lines[0].original is None


@pytest.mark.parametrize("name", ["ledger", "owed"])
def test_what_is_held_over_new_year_is_promised_and_paid_in_euro(told: World, settings: Any, name: str) -> None:
    settings.WAYOUT_PROVIDER = name
    canceled = cancel(told, in_leva(told), at=at("2025-12-30T10:00:00+00:00"))
    # Half past ten in the evening in Greenwich; in Sofia it is New Year.
    for now, currency in (("2025-12-31T21:50:00+00:00", "BGN"), ("2025-12-31T22:30:00+00:00", "EUR")):
        work(at(now))
        refund = Refund.objects.get()
        assert (refund.currency, refund.status) == (currency, "HELD")
    part = RefundPart.objects.get()
    assert (refund.money, part.promised) == (Money(part.amount, "BGN").into("EUR"), refund.amount)
    rows = make_receipt(canceled, [refund], at("2026-01-01T10:00:00+00:00")).rows
    assert any(label == "Credit" and "€" in said for label, said in rows)
    [event] = AuditEvent.objects.filter(action="refund.converted")
    assert (event.data["before"], event.data["currency"]) == (str(Money(part.amount, "BGN")), "EUR")
    correct(Charge.objects.get(), 60000, at("2026-01-01T11:00:00+00:00"), tax=10000)
    refund.refresh_from_db()
    part.refresh_from_db()
    assert refund.money == Money(part.amount, "BGN").into("EUR")
    after = at("2026-01-03T10:00:00+00:00")
    work(after)
    if name == "ledger":
        assert LedgerEntry.objects.values_list("amount", "currency").get() == (refund.amount, "EUR")
    assert Refund.objects.get().money == refund.money
    assert list(findings(after)) == []


def test_what_is_owed_since_last_year_is_owed_in_euro(told: World, settings: Any) -> None:
    settings.WAYOUT_PROVIDER = "owed"
    cancel(told, in_leva(told), at=at("2025-12-20T10:00:00+00:00"))
    work(at("2025-12-24T10:00:00+00:00"))
    assert Refund.objects.values_list("status", "currency").get() == ("SUBMITTED", "BGN")
    work(at("2026-01-02T10:00:00+00:00"))
    assert Refund.objects.get().money == Money(116712, "BGN").into("EUR")


def test_what_was_paid_in_its_own_days_stays_in_leva(told: World) -> None:
    cancel(told, in_leva(told), at=at("2025-12-20T10:00:00+00:00"))
    work(at("2025-12-24T10:00:00+00:00"))
    work(at("2026-01-02T10:00:00+00:00"))
    assert Refund.objects.get().money == Money(116712, "BGN")


def test_at_stripe_what_waited_over_new_year_is_paid_in_the_currency_of_its_charge(
    told: World, server: FakeStripe
) -> None:
    subscription = in_leva(told)
    Agreement.objects.filter(pk=subscription.agreement_id).update(provider="stripe")
    server.charges["ch_1"] = {"object": "charge", "id": "ch_1", "currency": "eur"}
    cancel(told, subscription, at=at("2025-12-30T10:00:00+00:00"))
    work(at("2026-01-03T10:00:00+00:00"))
    [sent] = server.refunds
    assert Money(sent["amount"], "EUR") == Refund.objects.get().money


def test_leva_are_never_paid_as_euro(told: World, server: FakeStripe) -> None:
    """Also where the promise itself is in leva still."""
    number, money = "ch_1", Money(4932, "BGN")
    server.charges[number] = {"object": "charge", "id": number, "currency": "eur"}
    asked = RefundRequest("part-1", 1, number, money, money, "Product", NOW)
    assert provider("stripe").refund(asked).outcome is RefundOutcome.FAILED
    assert server.refunds == []


def test_a_correction_prices_the_euro_again(told: World) -> None:
    cancel(told, in_leva(told), at=NOW)
    correct(Charge.objects.get(), 60000, at("2026-11-25T11:00:00+00:00"), tax=10000)
    assert Refund.objects.values_list("amount", "currency", "status").get() == (1261, "EUR", "HELD")
    assert RefundPart.objects.values_list("amount", "promised").get() == (2466, 1261)


def test_stripe_is_asked_in_the_currency_of_its_own_charge(told: World, server: FakeStripe) -> None:
    for currency, amount in (("bgn", 4932), ("eur", 2522)):
        subscription = in_leva(told, external_id=f"ch_{currency}")
        Agreement.objects.filter(pk=subscription.agreement_id).update(provider="stripe")
        server.charges[f"ch_{currency}"] = {"object": "charge", "id": f"ch_{currency}", "currency": currency}
        cancel(told, subscription, at=NOW)
        work(at("2026-11-29T10:00:00+00:00"))
        assert server.refunds[-1]["amount"] == amount
    subscription = in_leva(told, external_id="ch_usd")
    Agreement.objects.filter(pk=subscription.agreement_id).update(provider="stripe")
    server.charges["ch_usd"] = {"object": "charge", "id": "ch_usd", "currency": "usd"}
    cancel(told, subscription, at=NOW)
    work(at("2026-11-29T10:00:00+00:00"))
    assert Refund.objects.latest("pk").status == "FAILED"
    assert len(server.refunds) == 2


def test_mail_adds_up_refunds_in_both_currencies(told: World) -> None:
    """One was paid in leva, a second one is promised in euro."""
    subscription = in_leva(told)
    canceled = cancel(told, subscription, at=at("2025-12-20T10:00:00+00:00"))
    work(at("2025-12-24T10:00:00+00:00"))
    mail.outbox.clear()
    year = Period(YEAR["period_end"], at("2027-12-09T22:00:00+00:00"))
    bill(subscription, year, 1000, at("2026-01-10T10:00:00+00:00"))
    work(at("2026-01-10T10:00:00+00:00"))
    assert [refund.money for refund in canceled.refunds.order_by("pk")] == [Money(116712, "BGN"), Money(1000, "EUR")]
    [english] = [message for message in mail.outbox if message.subject.startswith("Your credit has changed")]
    total = Money(116712, "BGN").into("EUR") + Money(1000, "EUR")
    assert english.subject.startswith(f"Your credit has changed: it is €{total.amount:.2f} now")
    assert english.to == [told.admin.email]
    assert "BGN" in english.body
    assert "€10.00" in english.body


@pytest.mark.parametrize(("amount", "promised"), [(1, None), (3, None), (4, 1), (754, 100)])
def test_what_is_less_than_a_cent_is_not_given_back_by_hand(told: World, amount: int, promised: int | None) -> None:
    subscription = told.subscription(charged=None)
    charge = told.charge(subscription, currency="HRK", charged=1000)
    given = {"charge": charge, "reason": "goodwill", "due_by": NOW.date(), "caller": SYSTEM, "now": NOW}
    if promised:
        assert refund_by_hand(amount=amount, **given).money == Money(promised, "EUR")
        return
    with pytest.raises(RefundAmountMissing):
        refund_by_hand(amount=amount, **given)
    charge.refresh_from_db()
    assert (charge.refunded, Refund.objects.count()) == (0, 0)


@pytest.fixture
def imported(tmp_path: Any) -> Any:
    header = (
        "charge_id,product,subscription_id,seats,charged,settled,currency,period_start,period_end,charged_at,corrects\n"
    )
    users, charges = tmp_path / "users.csv", tmp_path / "charges.csv"
    users.write_text("User principal name,Display name,Licenses\na@x.example,Ada,E3\n")

    def run(*rows: str) -> tuple[str, int]:
        charges.write_text(header + "\n".join(rows) + "\n")
        with time_machine.travel(NOW, tick=False):
            said, code = import_files(tenant="x.example", users=users, charges=charges)
        return " ".join(said.split()), code

    return run


LEVA = "c1,E3,s1,5,100.00,100.00,BGN,2025-12-10,2026-12-10,2025-12-10,"
EURO = "c2,E3,s1,5,20.00,20.00,EUR,2026-11-10,2026-12-10,2026-11-10,"


@pytest.mark.parametrize("rows", [(LEVA, EURO), (EURO, LEVA)], ids=["in order", "the other way round"])
def test_an_agreement_spans_both(imported: Any, rows: tuple[str, str]) -> None:
    for row in rows:
        assert imported(row)[1] == 0
    assert imported(*rows)[1] == 0
    assert Agreement.objects.get().currency == "EUR"
    assert set(Charge.objects.values_list("currency", flat=True)) == {"BGN", "EUR"}
    found, subscription = world()
    promised = quote(found, subscription)
    assert [line.refund.currency for line in promised.lines] == ["EUR", "EUR"]
    assert promised.refund == Money(210 + 1000, "EUR")
    cancel(found, subscription, at=NOW)
    assert Refund.objects.values_list("amount", "currency").get() == (1210, "EUR")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (
            LEVA.replace(",2025-12-10,2026-12-10,2025-12-10,", ",2025-12-10,2026-12-10,2026-01-01,"),
            "BGN ended on 2025-12-31",
        ),
        ("c3,E3,s1,5,20.00,20.00,HRK,2023-01-01,2023-02-01,2023-01-01,", "HRK ended on 2022-12-31"),
    ],
)
def test_nothing_is_charged_in_what_has_ended(imported: Any, row: str, why: str) -> None:
    said, code = imported(row)
    assert code == 2
    assert why in said
    assert "EUR is charged since" in said
    assert not Charge.objects.exists()


def test_other_currencies_stay_apart(imported: Any) -> None:
    imported(EURO)
    said, code = imported("c3,E3,s1,5,20.00,20.00,USD,2026-11-10,2026-12-10,2026-11-10,")
    assert (code, "the currency is USD, all other charges are in EUR" in said) == (2, True)
