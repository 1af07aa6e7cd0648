"""What whoever runs this pays by other means: owed, said once, asked about by nobody, and paid when somebody says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail

from billing.errors import RefundNotPossible
from billing.models import PartStatus, Refund, RefundPart
from billing.providers import provider
from billing.providers.base import RefundRequest
from billing.refunds.owed import mark_paid
from billing.refunds.requests import refund_by_hand, settle_by_hand
from billing.refunds.results import conclude, order_of, record_result
from billing.selectors import LineKind, owed_refunds, statement
from common.errors import ExpectedError
from outbox import registry
from outbox.models import Task
from subscriptions.cancellations.service import undo_cancellation
from subscriptions.models import Cancellation
from tenants.callers import Scope
from tenants.models import AuditEvent, PartnerToken
from tenants.people import SYSTEM
from tenants.verification import verify
from tests.builders import NOW
from tests.reconciling import findings
from tests.subscriptions.test_lifecycle import cancel, told, work
from tests.subscriptions.test_money_after import correct
from tests.world import World
from webhooks.endpoints import register
from webhooks.models import Event

__all__ = ["told"]
pytestmark = pytest.mark.django_db
OWED = NOW + timedelta(hours=73)
PAID = NOW + timedelta(days=5)
PROMISE = {
    "en": "We will pay you €4.00 by 31 December 2026 at the latest",
    "bg": "Ще ви платим 4,00 € най-късно до 31 декември 2026 г.",
}
KEPT = {"en": "€4.00 was paid to you", "bg": "Платихме ви 4,00 €"}


@pytest.fixture(autouse=True)
def _pays_by_itself(settings: Any) -> None:
    settings.WAYOUT_PROVIDER = "owed"


@pytest.fixture
def owed(told: World) -> Refund:
    """4.00 that are owed since the undo closed."""
    cancel(told, told.subscription())
    work(NOW + timedelta(seconds=1))
    work(OWED)
    return Refund.objects.select_related("agreement__account").get()


@pytest.fixture
def listening(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partner hears of everything; nothing is sent."""
    monkeypatch.setitem(registry._handlers, "webhook.deliver", lambda _payload, _now: None)
    world.token(Scope.WEBHOOKS)
    partner = PartnerToken.objects.latest("pk").partner
    about: dict[str, Any] = {"events": [], "contact_email": "", "language": "en", "caller": SYSTEM, "now": NOW}
    register(partner=partner, url="https://partner.example/hook", **about)


def paid(refund: Refund, reference: str = "SEPA-1", at: datetime = PAID, now: datetime = PAID) -> bool:
    return mark_paid(refund=refund, paid_at=at, reference=reference, caller=SYSTEM, now=now)


def texts() -> Iterator[tuple[str, str]]:
    """What was mailed, by language."""
    for message in mail.outbox:
        yield (
            "bg" if message.to == ["books@contoso.example"] else "en",
            f"{message.subject}\n{message.body}".replace("\xa0", " ").replace("\u202f", " "),
        )


def test_what_is_owed_is_promised_and_nothing_is_said_to_be_paid(owed: Refund) -> None:
    assert (owed.provider, owed.status, owed.returned_at) == ("owed", "SUBMITTED", None)
    assert [part.status for part in owed.parts.all()] == [PartStatus.SENT]
    assert list(owed_refunds()) == [owed]
    said = dict(texts())
    for language in ("en", "bg"):
        assert PROMISE[language] in said[language]
        assert "paid to you" not in said[language]
        assert KEPT["bg"] not in said[language]
        assert ".." not in said[language]
    assert len(mail.outbox) == 2
    assert list(findings(OWED)) == []


def test_what_can_be_undone_is_not_owed_yet(told: World) -> None:
    canceled = cancel(told, told.subscription())
    work(NOW + timedelta(hours=71))
    assert list(owed_refunds()) == []
    with pytest.raises(ExpectedError) as refused:
        paid(Refund.objects.get())
    assert (refused.value.code, refused.value.path) == ("REFUND_NOT_OWED", ["refundId"])
    undo_cancellation(caller=told.caller(), cancellation_id=canceled.pk, language="en", now=NOW + timedelta(hours=71))
    work(OWED)
    assert list(owed_refunds()) == []
    with pytest.raises(ExpectedError) as over:
        paid(Refund.objects.get())
    assert over.value.code == "REFUND_NOT_OWED"


def test_it_waits_for_months_and_nobody_is_asked_every_ten_minutes(owed: Refund) -> None:
    [task] = Task.objects.filter(kind="refund.submit")
    assert task.run_at == OWED + timedelta(days=1)
    for days in range(1, 40):
        work(OWED + timedelta(days=days))
    owed.refresh_from_db()
    assert owed.status == "SUBMITTED"
    assert Task.objects.get(pk=task.pk).status == "WAITING"
    assert owed.found_late_at
    assert len([text for _language, text in texts() if "is late" in text or "закъснява" in text]) == 2


@pytest.mark.usefixtures("listening")
def test_it_is_said_once_that_it_is_owed_and_once_that_it_was_paid(owed: Refund) -> None:
    work(OWED + timedelta(days=1))
    work(OWED + timedelta(days=2))
    [event] = Event.objects.filter(type="refund.owed")
    cancellation = Cancellation.objects.get()
    assert event.data == {
        "tenant": {"id": f"ten_{cancellation.tenant_id}"},
        "subscription": {"id": f"sub_{cancellation.subscription_id}"},
        "cancellation": {"id": f"can_{cancellation.pk}", "reference": cancellation.reference},
        "refund": {
            "id": f"ref_{owed.pk}", "amount": {"amount": "4.00", "currency": "EUR"}, "status": "SUBMITTED",
            "creditForm": "OWED", "dueBy": "2026-12-31", "settledAt": None,
        },
    }  # fmt: skip
    assert paid(owed)
    work(PAID + timedelta(seconds=1))
    [event] = Event.objects.filter(type="refund.settled")
    assert (event.data["refund"]["status"], event.data["refund"]["settledAt"]) == ("SUCCEEDED", "2026-11-30T10:00:00Z")


@pytest.mark.usefixtures("listening")
def test_what_changes_while_it_is_held_is_owed_as_it_is_then(told: World) -> None:
    subscription = told.subscription()
    told.charge(subscription, charged=1000)
    cancel(told, subscription)
    work(OWED)
    [event] = Event.objects.filter(type="refund.owed")
    assert event.data["refund"]["amount"]["amount"] == "6.00"
    assert Refund.objects.get().amount == 600


@pytest.mark.usefixtures("listening")
def test_it_is_said_where_a_correction_takes_away_what_still_waits(
    told: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription = told.subscription()
    told.charge(subscription, charged=1000)
    cancel(told, subscription)

    def correcting(part: RefundPart, at: datetime) -> RefundRequest:
        """What the sender asks with, as the other part is corrected away."""
        [other] = Refund.objects.get().parts.exclude(pk=part.pk).select_related("charge") or [None]
        if other and other.status == PartStatus.WAITING:
            correct(other.charge, other.charge.charged, at)
        return order_of(part, at)

    monkeypatch.setattr("billing.refunds.sending.order_of", correcting)
    work(OWED)
    refund = Refund.objects.get()
    assert [part.status for part in refund.parts.all()] == [PartStatus.SENT]
    work(OWED + timedelta(days=1))
    [event] = Event.objects.filter(type="refund.owed")
    assert event.data["refund"]["amount"]["amount"] == str(refund.money.amount)


def test_marked_as_paid_it_is_done_and_everybody_hears(owed: Refund, told: World) -> None:
    mail.outbox.clear()
    assert paid(owed)
    owed.refresh_from_db()
    assert (owed.status, owed.returned_at) == ("SUCCEEDED", PAID)
    assert list(owed.parts.values_list("status", "reference")) == [("SUCCEEDED", "SEPA-1")]
    work(PAID + timedelta(seconds=1))
    assert {language: text.partition(" [")[0] for language, text in texts()} == KEPT
    event = AuditEvent.objects.get(action="refund.succeeded")
    assert (event.data["reference"], event.data["paid_at"]) == ("SEPA-1", "2026-11-30T10:00:00+00:00")
    for days in range(1, 40):
        work(PAID + timedelta(days=days))
    assert len(mail.outbox) == 2
    assert not Task.objects.filter(status="WAITING", kind="refund.submit").exists()
    assert list(findings(PAID + timedelta(days=40))) == []
    assert list(verify(told.tenant.pk)) == []


def test_the_statement_has_it_once_it_was_paid(owed: Refund) -> None:
    account = owed.agreement.account_id
    assert {line.kind for book in statement(account) for line in book.lines} == {LineKind.CHARGE, LineKind.PAYMENT}
    paid(owed)
    [book] = statement(account)
    assert (book.totals[LineKind.CREDIT].minor_units, book.totals[LineKind.PAYOUT].minor_units) == (-400, 400)


def test_marked_again_it_stays_as_it_is_and_another_reference_is_asked_about(owed: Refund) -> None:
    assert paid(owed)
    assert not paid(owed, at=PAID - timedelta(days=1), now=PAID + timedelta(days=1))
    owed.refresh_from_db()
    assert owed.returned_at == PAID
    with pytest.raises(ExpectedError) as refused:
        paid(owed, "SEPA-2")
    assert (refused.value.code, refused.value.path) == ("REFUND_PAID_BEFORE", ["reference"])
    assert AuditEvent.objects.filter(action="refund.succeeded").count() == 1


@pytest.mark.parametrize("at", [PAID + timedelta(seconds=1), NOW - timedelta(seconds=1)])
def test_a_time_to_come_or_before_the_promise_is_refused(owed: Refund, at: datetime) -> None:
    with pytest.raises(ExpectedError) as refused:
        paid(owed, at=at)
    assert (refused.value.code, refused.value.path) == ("INPUT_INVALID", ["paidAt"])
    owed.refresh_from_db()
    assert owed.status == "SUBMITTED"


@pytest.mark.parametrize("at", [NOW, PAID])
def test_from_the_promise_until_now_any_time_will_do(owed: Refund, at: datetime) -> None:
    assert paid(owed, at=at)


def test_what_somebody_else_pays_nobody_marks(told: World, settings: Any) -> None:
    settings.WAYOUT_PROVIDER = "ledger"
    cancel(told, told.subscription())
    for at in (NOW, OWED):
        with pytest.raises(ExpectedError) as refused:
            paid(Refund.objects.select_related("agreement__account").get())
        assert refused.value.code == "REFUND_NOT_OWED"
        work(at)
    assert Refund.objects.get().provider == "ledger"


def test_it_can_be_settled_another_way_since_nobody_else_pays_it(owed: Refund) -> None:
    with pytest.raises(RefundNotPossible):
        settle_by_hand(refund=owed, reason=" ", caller=SYSTEM, now=PAID)
    assert settle_by_hand(refund=owed, reason="set off against the next invoice", caller=SYSTEM, now=PAID)
    with pytest.raises(ExpectedError) as refused:
        paid(owed)
    assert refused.value.code == "REFUND_NOT_OWED"
    assert list(owed_refunds()) == []
    work(PAID + timedelta(days=2))
    assert list(findings(PAID + timedelta(days=2))) == []


def test_one_made_by_hand_is_owed_at_once(told: World) -> None:
    charge = told.charge(told.subscription(charged=None))
    made = refund_by_hand(charge=charge, amount=100, reason="goodwill", due_by=NOW.date(), caller=SYSTEM, now=NOW)
    work(NOW)
    assert list(owed_refunds()) == [made]
    assert paid(Refund.objects.select_related("agreement__account").get())


def test_what_was_promised_before_stays_with_whom_it_was_promised_by(told: World, settings: Any) -> None:
    settings.WAYOUT_PROVIDER = "ledger"
    cancel(told, told.subscription())
    settings.WAYOUT_PROVIDER = "owed"
    work(OWED)
    assert list(Refund.objects.values_list("provider", "status")) == [("ledger", "SUCCEEDED")]


def test_a_worker_that_asks_in_between_changes_nothing(owed: Refund) -> None:
    """It read that nothing was paid, and writes that down after somebody has marked it."""
    [part] = owed.parts.select_related("charge", "refund__agreement")
    answer = provider("owed").find(order_of(part, PAID))
    assert answer
    assert paid(owed)
    record_result(part, answer, PartStatus.SENT)
    with time_machine.travel(PAID, tick=False):
        assert conclude(owed, PAID + timedelta(hours=1)) is None
    owed.refresh_from_db()
    assert (owed.status, owed.returned_at, owed.parts.get().reference) == ("SUCCEEDED", PAID, "SEPA-1")
