"""Refunds from promise to provider: every state, every trouble, and what the provider said being the last word."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from billing.charges import record_correction
from billing.errors import RefundExceedsPaid, RefundNotPossible
from billing.models import Charge, LedgerEntry, Refund
from billing.money import Money
from billing.providers.base import RefundOutcome, RefundRequest, RefundResult
from billing.refunds import late as late_ones
from billing.refunds import repricing, requests, results, sending
from outbox.models import Task
from outbox.worker import work_off
from tenants.models import AuditEvent
from tenants.people import SYSTEM
from tenants.verification import verify
from tests.billing.test_charges import INPUT, refund
from tests.builders import NOW
from tests.providers import TestProvider, used
from tests.reconciling import findings
from tests.world import World

pytestmark = pytest.mark.django_db
AFTER = NOW + timedelta(hours=73)


@pytest.fixture
def promised(world: World) -> Refund:
    """A refund of two charges, held for 72 hours."""
    from billing.charges import record_charge
    from billing.models import Agreement

    agreement = Agreement.objects.create(account=world.tenant.billing_account, currency="EUR")
    record_charge(agreement=agreement, charge=INPUT, now=NOW)
    made = refund(agreement)
    charge = Charge.objects.create(
        agreement=agreement, external_id="c2", description="E5", currency="EUR", charged=1000, paid=1000,
        period_start=INPUT.period.start, period_end=INPUT.period.end, charged_at=INPUT.charged_at,
    )  # fmt: skip
    requests._reserve(made, charge.pk, 100, 0, 100)
    Refund.objects.filter(pk=made.pk).update(amount=made.amount + 100)
    made.refresh_from_db()
    return made


@pytest.fixture
def provider() -> Iterator[TestProvider]:
    with used(TestProvider()) as found:
        yield found


def work(at: datetime = AFTER) -> None:
    work_off(lambda: at)


def work_until_quiet(at: datetime = AFTER) -> datetime:
    """Work through all retries; returns when that was."""
    for _ in range(60):
        work(at)
        waiting = Task.objects.filter(status="WAITING").order_by("run_at").first()
        if waiting is None:
            break
        at = max(at, waiting.run_at)
    return at


def status(promised: Refund) -> str:
    promised.refresh_from_db()
    return promised.status


def test_a_held_refund_waits_for_the_undo_then_goes_out(promised: Refund) -> None:
    work(NOW + timedelta(hours=71))
    assert status(promised) == "HELD"
    work()
    assert status(promised) == "SUCCEEDED"
    assert promised.returned_at == AFTER
    assert sorted(LedgerEntry.objects.values_list("amount", flat=True)) == [100, 2400]
    confirmed_stop = list(AuditEvent.objects.order_by("position").values_list("action", flat=True))
    assert confirmed_stop == ["refund.pending", "refund.submitted", "refund.succeeded"]
    assert not list(verify(promised.agreement.account.tenant_id))


@pytest.mark.parametrize("trouble", ["timeout before", "timeout after", "5xx", "429", "slow", ""])
def test_whatever_happens_it_is_paid_once(promised: Refund, provider: TestProvider, trouble: str) -> None:
    provider.troubles = [trouble] * 2
    work_until_quiet()
    assert status(promised) == "SUCCEEDED"
    assert sorted(refund_request.amount.minor_units for refund_request in provider.paid.values()) == [100, 2400]


def test_an_unknown_outcome_is_asked_about_before_anything_is_sent_again(
    promised: Refund, provider: TestProvider
) -> None:
    provider.troubles = ["timeout after"]
    work()
    assert status(promised) == "SUBMITTED"
    work_until_quiet()
    first = provider.calls[0].split()[1]
    assert provider.calls[:2] == [f"refund {first}", f"find {first}"]
    assert provider.calls.count(f"refund {first}") == 1


def test_a_retry_after_is_kept(promised: Refund, provider: TestProvider) -> None:
    provider.troubles = ["429"]
    work()
    assert Task.objects.get(kind=sending.SUBMIT).run_at >= AFTER + timedelta(minutes=7)


def test_an_hour_without_a_provider_costs_only_time(promised: Refund, provider: TestProvider) -> None:
    provider.troubles = ["5xx"] * 8
    at = work_until_quiet()
    assert at < AFTER + timedelta(hours=2)
    assert status(promised) == "SUCCEEDED"


def test_declined_parts_are_said_and_tried_again_under_a_new_key(promised: Refund, provider: TestProvider) -> None:
    provider.troubles = ["decline"]
    work()
    assert status(promised) == "PARTIALLY_SUCCEEDED"
    failed = promised.parts.get(status="FAILED")
    assert failed.failure == "declined"
    assert repricing.retry_refund(refund=promised, caller=SYSTEM, now=AFTER)
    assert not repricing.retry_refund(refund=promised, caller=SYSTEM, now=AFTER)
    work()
    assert status(promised) == "SUCCEEDED"
    assert list(provider.paid)[-1] == f"{failed.pk}.1"
    assert len(provider.paid) == 2


def test_everything_declined_is_failed(promised: Refund, provider: TestProvider) -> None:
    provider.troubles = ["decline", "decline"]
    work()
    assert status(promised) == "FAILED"
    assert Charge.objects.get(external_id="c1").refunded == 2400


def test_pending_is_not_succeeded_until_the_provider_says_so(promised: Refund, provider: TestProvider) -> None:
    provider.troubles = ["pending"]
    work()
    assert status(promised) == "SUBMITTED"
    [key] = [key for key, result in provider.results.items() if result.outcome is RefundOutcome.PENDING]
    work(AFTER + timedelta(minutes=11))
    assert status(promised) == "SUBMITTED"
    provider.settle(key)
    work(AFTER + timedelta(minutes=22))
    assert status(promised) == "SUCCEEDED"


@pytest.mark.parametrize("outcome", [RefundOutcome.SUCCEEDED, RefundOutcome.FAILED])
def test_the_provider_may_speak_first_and_twice(
    promised: Refund, provider: TestProvider, outcome: RefundOutcome
) -> None:
    provider.troubles = ["pending", "pending"]
    work()
    keys = list(provider.results)
    for key in [*keys, *keys]:
        assert results.record_provider_event(
            provider="ledger", key=key, result=RefundResult(outcome, "T", ""), now=AFTER
        )
    assert status(promised) == ("SUCCEEDED" if outcome is RefundOutcome.SUCCEEDED else "FAILED")
    # A word that contradicts the first may be an old one: what the provider says when asked is what counts.
    other = RefundOutcome.FAILED if outcome is RefundOutcome.SUCCEEDED else RefundOutcome.SUCCEEDED
    for key in keys:
        provider.settle(key, outcome)
    assert results.record_provider_event(provider="ledger", key=keys[0], result=RefundResult(other, "T", ""), now=AFTER)
    work()
    assert status(promised) == ("SUCCEEDED" if outcome is RefundOutcome.SUCCEEDED else "FAILED")
    assert not results.record_provider_event(
        provider="ledger", key="00000000-0000-0000-0000-000000000000", result=RefundResult(outcome, "T"), now=AFTER
    )


def test_a_webhook_may_come_before_our_own_commit(promised: Refund) -> None:
    class Eager(TestProvider):
        def refund(self, refund_request: RefundRequest) -> RefundResult:
            result = super().refund(refund_request)
            assert results.record_provider_event(provider="ledger", key=refund_request.key, result=result, now=AFTER)
            return result

    with used(Eager()) as provider:
        work()
    assert status(promised) == "SUCCEEDED"
    assert len(provider.paid) == 2
    assert AuditEvent.objects.filter(action="refund.succeeded").count() == 1


def test_voided_refunds_are_never_sent(promised: Refund, provider: TestProvider) -> None:
    assert requests.void_refund(refund=promised, caller=SYSTEM, now=NOW)
    work_until_quiet()
    assert (status(promised), provider.calls) == ("VOIDED", [])


def test_settled_by_hand_needs_a_reason_and_stops_the_sending(promised: Refund, provider: TestProvider) -> None:
    with pytest.raises(RefundNotPossible):
        requests.settle_by_hand(refund=promised, reason="  ", caller=SYSTEM, now=NOW)
    assert requests.settle_by_hand(refund=promised, reason="paid by bank transfer", caller=SYSTEM, now=NOW)
    assert not requests.settle_by_hand(refund=promised, reason="again", caller=SYSTEM, now=NOW)
    work_until_quiet()
    assert (status(promised), promised.reason, provider.calls) == ("SETTLED_MANUALLY", "paid by bank transfer", [])


def test_what_a_provider_may_be_paying_is_not_settled_by_hand(promised: Refund, provider: TestProvider) -> None:
    provider.troubles = ["timeout after"]
    work()
    with pytest.raises(RefundNotPossible):
        requests.settle_by_hand(refund=promised, reason="hurry", caller=SYSTEM, now=AFTER)
    assert status(promised) == "SUBMITTED"


def test_staff_refund_a_part_but_never_above_what_was_paid(promised: Refund) -> None:
    charge = Charge.objects.get(external_id="c2")
    given = {"charge": charge, "due_by": date(2026, 12, 31), "caller": SYSTEM, "now": NOW}
    for wrong in (
        {"amount": 901, "reason": "goodwill"},
        {"amount": 0, "reason": "goodwill"},
        {"amount": 5, "reason": " "},
    ):
        with pytest.raises((RefundExceedsPaid, RefundNotPossible)):
            requests.refund_by_hand(**given, **wrong)  # type: ignore[arg-type]
    assert Refund.objects.count() == 1
    made = requests.refund_by_hand(**given, amount=900, reason="goodwill")  # type: ignore[arg-type]
    work()
    assert (status(made), made.reason) == ("SUCCEEDED", "goodwill")


def test_a_refund_whose_effect_was_lost_is_found(promised: Refund, provider: TestProvider) -> None:
    Task.objects.all().delete()
    assert sending.send_stranded(NOW) == 0
    sending.send_stranded(AFTER)
    work()
    assert status(promised) == "SUCCEEDED"


def test_late_refunds_are_found_once(promised: Refund, provider: TestProvider) -> None:
    last = datetime(2026, 12, 31, 21, 59, tzinfo=NOW.tzinfo)
    assert late_ones.late_refunds(last) == []
    assert late_ones.late_refunds(last + timedelta(minutes=1)) == [promised]
    assert late_ones.note_late(refund=promised, now=last + timedelta(minutes=1))
    assert not late_ones.note_late(refund=promised, now=last + timedelta(minutes=1))
    assert late_ones.late_refunds(last + timedelta(days=9)) == []


def test_what_staff_settle_while_the_worker_is_about_to_send_is_not_sent(promised: Refund) -> None:
    class Settling(TestProvider):
        """Staff are faster than the second part."""

        def refund(self, refund_request: RefundRequest) -> RefundResult:
            result = super().refund(refund_request)
            results.record_provider_event(provider="ledger", key=refund_request.key, result=result, now=AFTER)
            requests.settle_by_hand(refund=promised, reason="bank transfer", caller=SYSTEM, now=AFTER)
            return result

    with used(Settling()) as provider:
        work()
    assert status(promised) == "SETTLED_MANUALLY"
    assert len(provider.paid) == 1


def bounce(
    provider: TestProvider, key: str, outcome: RefundOutcome = RefundOutcome.FAILED, at: datetime = AFTER
) -> None:
    """The provider changes its mind days later, and says so."""
    provider.settle(key, outcome)
    assert results.record_provider_event(provider="ledger", key=key, result=provider.results[key], now=at)
    work(at)


def test_money_that_a_bank_sends_back_is_failed_again_and_can_go_out_again(
    promised: Refund, provider: TestProvider, settings: Any
) -> None:
    work()
    assert status(promised) == "SUCCEEDED"
    days_later = AFTER + timedelta(days=4)
    for key in list(provider.results):
        bounce(provider, key, at=days_later)
    assert (status(promised), promised.returned_at) == ("FAILED", None)
    assert AuditEvent.objects.filter(action="refund.failed").get().data["before"] == "PARTIALLY_SUCCEEDED"
    assert repricing.retry_refund(refund=promised, caller=SYSTEM, now=days_later)
    work(days_later + timedelta(hours=1))
    assert (status(promised), promised.returned_at) == ("SUCCEEDED", days_later + timedelta(hours=1))
    assert (
        sum(refund_request.amount.minor_units for key, refund_request in provider.paid.items() if key.endswith(".1"))
        == promised.amount
    )


def test_money_that_a_bank_sends_back_can_be_settled_by_hand(promised: Refund, provider: TestProvider) -> None:
    work()
    first = next(iter(provider.results))
    bounce(provider, first)
    assert status(promised) == "PARTIALLY_SUCCEEDED"
    assert requests.settle_by_hand(refund=promised, reason="bank transfer", caller=SYSTEM, now=AFTER)
    assert not list(findings(AFTER, ask_provider=False))
    # And if it arrives after all, somebody has to know.
    bounce(provider, first, RefundOutcome.SUCCEEDED)
    assert status(promised) == "SETTLED_MANUALLY"
    assert Task.objects.filter(key__startswith="mail.staff:twice:").count() == 1
    assert "by the facts since 0.00 EUR is due" in " ".join(findings(AFTER, ask_provider=False))


def test_an_old_word_after_a_new_one_changes_nothing(promised: Refund, provider: TestProvider) -> None:
    provider.troubles = ["pending", "pending"]
    work()
    for key in list(provider.results):
        provider.settle(key)
        results.record_provider_event(provider="ledger", key=key, result=provider.results[key], now=AFTER)
    late = RefundResult(RefundOutcome.FAILED, "T", "an event of yesterday")
    for key in provider.results:
        assert results.record_provider_event(provider="ledger", key=key, result=late, now=AFTER)
        assert results.record_provider_event(
            provider="ledger", key=key, result=RefundResult(RefundOutcome.PENDING, "T"), now=AFTER
        )
    work()
    assert (status(promised), promised.returned_at) == ("SUCCEEDED", AFTER)
    assert AuditEvent.objects.filter(action__startswith="refund.").last().action == "refund.succeeded"  # type: ignore[union-attr]


@pytest.mark.parametrize("trouble", ["5xx", "timeout before", "429", "key"])
def test_money_is_never_given_up_for_an_outage(promised: Refund, provider: TestProvider, trouble: str) -> None:
    provider.troubles = [trouble] * 60
    at = AFTER
    for _ in range(40):
        work(at)
        at = max(at, Task.objects.get(kind="refund.submit").run_at)
    assert at > AFTER + timedelta(hours=20)
    task = Task.objects.get(kind="refund.submit")
    assert (task.status, task.failures, task.outages) == ("WAITING", 0, 40)
    provider.troubles = []
    work(at)
    work_until_quiet(at)
    assert status(promised) == "SUCCEEDED"
    assert len(provider.paid) == 2


def test_staff_hear_at_once_and_once_a_day_of_a_key_that_is_refused(
    promised: Refund, provider: TestProvider, settings: Any
) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    provider.troubles = ["key"] * 60
    at = AFTER
    for _ in range(30):
        work(at)
        at += timedelta(minutes=50)
    found = [message for message in mail.outbox if "refuses our key" in message.subject]
    assert [message.to for message in found] == [["desk@wayout.example"]] * 2


@pytest.mark.parametrize(("now_paid", "twice"), [(True, True), (False, False)])
def test_what_arrives_under_a_key_that_was_replaced_is_known(
    promised: Refund, provider: TestProvider, now_paid: bool, twice: bool
) -> None:
    provider.troubles = ["decline", "decline"]
    work()
    old = list(provider.results)
    assert repricing.retry_refund(refund=promised, caller=SYSTEM, now=AFTER)
    if not now_paid:
        provider.troubles = ["decline", "decline"]
    work()
    assert status(promised) == ("SUCCEEDED" if now_paid else "FAILED")
    bounce(provider, old[0], RefundOutcome.SUCCEEDED)
    assert Task.objects.filter(key__startswith="mail.staff:twice:").exists() is twice
    assert status(promised) == ("SUCCEEDED" if now_paid else "PARTIALLY_SUCCEEDED")
    said = " ".join(findings(AFTER, ask_provider=False))
    assert ("by the facts since 0.00 EUR is due" in said) is twice
    assert not results.record_provider_event(
        provider="ledger", key=f"{old[0]}.7", result=provider.results[old[0]], now=AFTER
    )


def test_a_refund_by_hand_stays_below_what_a_correction_left(world: World, settings: Any) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    world.subscription(charged=10000)
    charge = Charge.objects.get()
    corrected = {"charge": charge, "tax": 0, "corrected_at": NOW, "now": NOW}
    record_correction(external_id="k1", amount=Money(3000, "EUR"), **corrected)  # type: ignore[arg-type]
    given = {"charge": charge, "reason": "goodwill", "due_by": date(2026, 12, 31), "caller": SYSTEM, "now": NOW}
    with pytest.raises(RefundExceedsPaid):
        requests.refund_by_hand(amount=7001, **given)  # type: ignore[arg-type]
    made = requests.refund_by_hand(amount=7000, **given)  # type: ignore[arg-type]
    assert list(findings(NOW, ask_provider=False)) == []
    with used(TestProvider()) as provider:
        provider.troubles = ["decline"]
        work(NOW)
        # One that makes it too much before it has left makes it less.
        record_correction(external_id="k2", amount=Money(2000, "EUR"), **corrected)  # type: ignore[arg-type]
        work(NOW)
        assert findings(NOW, ask_provider=False) == [f"refund {made.pk}: it failed and waits for staff"]
        assert any("was 70.00 EUR and is 50.00 EUR now" in message.subject for message in mail.outbox)
        assert repricing.retry_refund(refund=made, caller=SYSTEM, now=NOW)
        work(NOW)
        assert [refund_request.amount.minor_units for refund_request in provider.paid.values()] == [5000]
    assert status(made) == "SUCCEEDED"
    assert list(findings(NOW, ask_provider=False)) == []


def test_staff_hear_of_a_refund_by_hand_that_fails(world: World, provider: TestProvider, settings: Any) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    world.subscription(charged=10000)
    given = {"charge": Charge.objects.get(), "reason": "goodwill", "due_by": date(2026, 12, 31), "caller": SYSTEM}
    requests.refund_by_hand(amount=700, now=NOW, **given)  # type: ignore[arg-type]
    provider.troubles = ["decline"]
    for second in range(3):
        work(NOW + timedelta(seconds=second))
    [message] = mail.outbox
    assert (message.to, "made by hand, failed" in message.subject) == (["desk@wayout.example"], True)


@pytest.mark.parametrize(("late", "asks"), [({"hours": 1}, False), ({"hours": 12, "seconds": 1}, True)])
def test_what_was_due_long_ago_is_looked_for_before_it_is_sent(
    promised: Refund, provider: TestProvider, late: dict[str, int], asks: bool
) -> None:
    work(promised.held_until + timedelta(**late))
    kinds = [call.split()[0] for call in provider.calls]
    assert kinds == (["find", "refund"] if asks else ["refund"]) * 2


def test_what_was_sent_after_the_backup_that_was_restored_is_not_sent_again(
    promised: Refund, provider: TestProvider
) -> None:
    # The provider has forgotten the keys by then: asked to refund, it would refund.
    for part in promised.parts.all():
        provider.results[part.key] = RefundResult(RefundOutcome.SUCCEEDED, "T-before")
    work(promised.held_until + timedelta(days=3))
    assert status(promised) == "SUCCEEDED"
    assert set(promised.parts.values_list("reference", flat=True)) == {"T-before"}
    assert not [call for call in provider.calls if call.startswith("refund")]
