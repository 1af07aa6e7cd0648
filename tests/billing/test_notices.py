"""What a provider says that cannot be true is kept for staff, each fact once; staff read of charges by their own ids."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail

from billing.models import Charge, ProviderNotice, Refund
from billing.notices import resolve_notice
from billing.provider_facts import record_payment, record_return
from billing.providers.base import PaymentUpdate, ReturnUpdate
from billing.return_kinds import ReturnKind, ReturnStatus
from tenants.people import SYSTEM
from tests.builders import NOW, PERIOD
from tests.providers import pay
from tests.reconciling import findings
from tests.subscriptions.test_lifecycle import cancel, told, work
from tests.subscriptions.test_money_after import correct
from tests.world import World

__all__ = ["told"]

pytestmark = pytest.mark.django_db
Say = Callable[[], bool]


@pytest.fixture(autouse=True)
def _staff(settings: object) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]  # type: ignore[attr-defined]


@pytest.fixture
def charge(told: World) -> Charge:
    told.subscription(charged=10000)
    return Charge.objects.get()


def gone(charge: Charge, amount: int, kind: ReturnKind = ReturnKind.NET, **more: str) -> Say:
    said = {"reference": "", "currency": "", **more}
    update = ReturnUpdate(frozenset({charge.external_id}), kind, amount=amount, status=ReturnStatus.GONE, **said)
    return lambda: record_return(provider="ledger", update=update, now=NOW)


def heard(say: Say) -> list[str]:
    """The mail of staff about it."""
    mail.outbox.clear()
    assert say() is False
    work(NOW)
    return [message.body for message in mail.outbox]


def look_at_all() -> None:
    for notice in ProviderNotice.objects.filter(seen_at=None):
        assert resolve_notice(notice=notice, caller=SYSTEM, language="en", now=NOW)
    assert not list(findings(NOW, ask_provider=False))


def test_what_was_looked_at_hides_no_other_fact(charge: Charge) -> None:
    paid = PaymentUpdate(frozenset({charge.external_id}), 20000)
    facts: list[Say] = [
        gone(charge, 20000),
        gone(charge, 50000),
        gone(charge, 50000, ReturnKind.DISPUTE),
        gone(charge, 50000, ReturnKind.REFUND, reference="re_1"),
        gone(charge, 10, ReturnKind.REFUND, reference="re_1", currency="USD"),
        gone(charge, 20, ReturnKind.REFUND, reference="re_1", currency="USD"),
        gone(charge, 20, ReturnKind.REFUND, reference="re_1", currency="GBP"),
        lambda: record_payment(provider="ledger", update=paid, now=NOW),
    ]
    for number, say in enumerate(facts, 1):
        assert len(heard(say)) == 1, number
        assert heard(say) == []
        assert ProviderNotice.objects.count() == number
        assert len(list(findings(NOW, ask_provider=False))) == 1
        look_at_all()
        assert heard(say) == []
    assert set(ProviderNotice.objects.values_list("kind", flat=True)) == {"NET", "DISPUTE", "REFUND", "PAYMENT"}


def test_less_than_nothing_is_called_so(charge: Charge) -> None:
    [text] = heard(gone(charge, -5))
    assert "the amount is below zero" in text or "сумата е под нулата" in text
    assert ProviderNotice.objects.get().reason == "NEGATIVE"
    charge.refresh_from_db()
    assert charge.gone == 0


def test_staff_read_of_charges_by_their_own_ids(told: World) -> None:
    subscription = told.subscription(charged=None)
    charge = told.charge(subscription, external_id="ch_its_own", charged=10000, paid=0, in_flight=10000)
    pay(charge, 10000, PERIOD.start)
    cancel(told, subscription, at=PERIOD.start)
    after_undo = PERIOD.start + timedelta(hours=80)
    work(after_undo)
    assert Refund.objects.get().status == "SUCCEEDED"
    mail.outbox.clear()
    correct(charge, 9000, after_undo + timedelta(hours=1))
    said = [message.body for message in mail.outbox if message.to == ["desk@wayout.example"]]
    assert said
    assert all("ch_its_own" in text for text in said)
