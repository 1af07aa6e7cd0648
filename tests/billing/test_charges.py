"""Charges, corrections and refunds as rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from billing.charges import ChargeInput, record_charge, record_correction
from billing.errors import ChargeInvalid, RefundExceedsPaid
from billing.models import Agreement, Charge, Refund, RefundPart
from billing.money import Money
from billing.proration import Convention, RefundTerms, prorate
from billing.refunds.requests import request_refund, void_refund
from billing.selectors import charges_not_over
from tenants.people import SYSTEM
from tests.builders import NOW, PERIOD, SOFIA
from tests.world import World, later

pytestmark = pytest.mark.django_db

INPUT = ChargeInput("c1", "E3", 5, PERIOD, PERIOD.start, "EUR", charged=12000, tax=2000, paid=12000)


@pytest.fixture
def agreement(world: World) -> Agreement:
    return Agreement.objects.create(account=world.tenant.billing_account, currency="EUR")


def test_a_charge_is_recorded_once_and_its_payment_moves_forward(agreement: Agreement) -> None:
    unpaid = replace(INPUT, paid=0, in_flight=12000)
    assert record_charge(agreement=agreement, charge=unpaid, now=NOW)
    assert not record_charge(agreement=agreement, charge=unpaid, now=NOW)
    assert record_charge(agreement=agreement, charge=INPUT, now=NOW)
    # A file that was exported before has not heard of it.
    assert not record_charge(agreement=agreement, charge=unpaid, now=NOW, known_at=NOW - timedelta(hours=1))
    charge = Charge.objects.get()
    assert (charge.paid, charge.in_flight) == (12000, 0)


@pytest.mark.parametrize(
    "change",
    [{"paid": 12001}, {"charged": 100}, {"tax": -1}, {"paid": -1}, {"currency": "USD"}, {"in_flight": 1}],
)
def test_a_charge_that_contradicts_itself(agreement: Agreement, change: dict[str, Any]) -> None:
    with pytest.raises(ChargeInvalid):
        record_charge(agreement=agreement, charge=replace(INPUT, **change), now=NOW)
    assert not Charge.objects.exists()


def test_a_charge_on_record_keeps_its_amounts(agreement: Agreement) -> None:
    record_charge(agreement=agreement, charge=INPUT, now=NOW)
    with pytest.raises(ChargeInvalid):
        record_charge(agreement=agreement, charge=replace(INPUT, charged=13000), now=NOW)
    assert Charge.objects.get().charged == 12000


def test_case_32_a_correction_reduces_the_charge_it_names(agreement: Agreement) -> None:
    record_charge(agreement=agreement, charge=replace(INPUT, charged=10000, tax=0, paid=10000), now=NOW)
    charge = Charge.objects.get()
    assert record_correction(
        charge=charge, external_id="k1", amount=Money(3000, "EUR"), tax=0, corrected_at=NOW, now=NOW
    )
    assert not record_correction(
        charge=charge, external_id="k1", amount=Money(3000, "EUR"), tax=0, corrected_at=NOW, now=NOW
    )
    [facts] = charges_not_over([agreement.pk], NOW)[agreement.pk]
    half = PERIOD.start + (PERIOD.end - PERIOD.start) / 2
    assert prorate(facts, half, RefundTerms(Convention.ELAPSED_24H, SOFIA)).refund.minor_units == 3500
    for amount in (7001, 0, -5):
        with pytest.raises(ChargeInvalid):
            record_correction(
                charge=charge, external_id="k2", amount=Money(amount, "EUR"), tax=0, corrected_at=NOW, now=NOW
            )


@pytest.mark.parametrize(
    ("amount", "tax", "reason"),
    [
        (Money(9000, "KWD"), 0, "it is in KWD"),
        (Money(1000, "EUR"), -1, "its tax is a part of that"),
        (Money(1000, "EUR"), 1001, "its tax is a part of that"),
        (Money(-1000, "EUR"), 0, "takes something off"),
        (Money(11000, "EUR"), 0, "more tax than amount"),
        (Money(12001, "EUR"), 2000, "cannot exceed"),
        (Money(4000, "EUR"), 0, "already on record with another amount"),
    ],
)
def test_a_correction_that_cannot_be_is_refused(agreement: Agreement, amount: Money, tax: int, reason: str) -> None:
    record_charge(agreement=agreement, charge=INPUT, now=NOW)
    given = {"charge": Charge.objects.get(), "corrected_at": NOW, "now": NOW}
    known = reason.startswith("already")
    if known:
        assert record_correction(external_id="k1", amount=Money(3000, "EUR"), tax=0, **given)  # type: ignore[arg-type]
    with pytest.raises(ChargeInvalid, match=reason):
        record_correction(external_id="k1", amount=amount, tax=tax, **given)  # type: ignore[arg-type]
    assert Charge.objects.get().corrected == (3000 if known else 0)


def refund(agreement: Agreement) -> Refund:
    [facts] = charges_not_over([agreement.pk], NOW)[agreement.pk]
    line = prorate(facts, NOW, RefundTerms(Convention.ELAPSED_24H, SOFIA))
    return request_refund(
        agreement=agreement,
        lines=[line],
        priced_at=NOW,
        requested_at=NOW,
        held_until=later(hours=72),
        due_by=date(2026, 12, 31),
    )


def test_a_refund_reserves_its_amount_and_voiding_frees_it(agreement: Agreement) -> None:
    record_charge(agreement=agreement, charge=INPUT, now=NOW)
    made = refund(agreement)
    part = RefundPart.objects.get()
    assert (made.amount, part.amount, part.tax, made.status) == (2400, 2400, 400, "HELD")
    assert Charge.objects.get().refunded == 2400
    assert void_refund(refund=made, caller=SYSTEM, now=NOW)
    assert not void_refund(refund=made, caller=SYSTEM, now=NOW)
    assert Charge.objects.get().refunded == 0
    assert Refund.objects.get().status == "VOIDED"


def test_refunds_of_a_charge_never_exceed_what_was_settled(agreement: Agreement) -> None:
    record_charge(agreement=agreement, charge=INPUT, now=NOW)
    Charge.objects.update(refunded=11000)
    [facts] = charges_not_over([agreement.pk], NOW)[agreement.pk]
    line = prorate(replace(facts, refunded=0), NOW, RefundTerms(Convention.ELAPSED_24H, SOFIA))
    with pytest.raises(RefundExceedsPaid), transaction.atomic():
        request_refund(
            agreement=agreement, lines=[line], priced_at=NOW, requested_at=NOW, held_until=NOW, due_by=NOW.date()
        )
    assert Charge.objects.get().refunded == 11000
    assert not Refund.objects.exists()


@pytest.mark.parametrize(
    "values",
    [
        {"refunded": 12001},
        {"refunded": -1},
        {"paid": 12001},
        {"tax": 12001},
        {"corrected": 12001},
        {"period_end": PERIOD.start},
    ],
)
def test_the_database_says_so(agreement: Agreement, values: dict[str, Any]) -> None:
    record_charge(agreement=agreement, charge=INPUT, now=NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        Charge.objects.update(**values)
