"""Anything, in any order: facts, decisions, dashboards, faults and time. After each step the books add up.

Ten sequences on each database; ``make test-kills`` plays 300. What should be is reckoned by ``oracle.py`` alone.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from billing.charges import ChargeInput, record_charge, record_correction
from billing.models import Agreement, Charge, PartStatus, Refund, RefundPart, RefundStatus
from billing.money import Money
from billing.periods import Period
from billing.providers.base import (
    PaymentUpdate,
    RefundOutcome,
    RefundResult,
    RefundUpdate,
    ReturnUpdate,
    SubscriptionUpdate,
)
from billing.refunds.repricing import retry_refund
from billing.return_kinds import ReturnKind, ReturnStatus
from billing.updates import record_update
from billing.writing import audit_charges
from common.errors import ExpectedError
from outbox.models import Task
from outbox.worker import work_off
from subscriptions.cancellations.service import undo_cancellation
from subscriptions.models import Cancellation, Subscription
from subscriptions.policy.facts import Mode, Status
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.people import SYSTEM
from tests.builders import PERIOD
from tests.providers import TestProvider, used
from tests.reconciling import found
from tests.subscriptions.oracle import Decided, Told
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World

SEQUENCES = int(os.environ.get("WAYOUT_SEQUENCES", "10"))
NUMBERS = itertools.count(1)
MONTHS = [
    Period(PERIOD.start - timedelta(days=31), PERIOD.start),
    PERIOD,
    Period(PERIOD.end, PERIOD.end + timedelta(days=31)),
]
TROUBLES = ["timeout before", "timeout after", "decline", "pending", "5xx", "429", "key"]
LIVE = [RefundStatus.HELD, RefundStatus.PENDING, RefundStatus.SUBMITTED]
CENTS = st.integers(1, 20_000)


class Books(RuleBasedStateMachine):
    """One subscription at one provider, from the start of its month on."""

    def __init__(self) -> None:
        super().__init__()
        self.undoing = transaction.atomic()
        # As Django's own test cases do, for services that want to be outermost.
        self.undoing._from_testcase = True
        self.undoing.__enter__()
        self.provider = TestProvider()
        self.using = used(self.provider, only="stripe")
        self.using.__enter__()
        self.now = PERIOD.start
        self.told: dict[str, Told] = {}
        self.decided: Decided | None = None
        self.ended = False
        self.missed: set[str] = set()

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.settle()
        finally:
            self.using.__exit__(None, None, None)
            transaction.set_rollback(True)
            self.undoing.__exit__(None, None, None)

    @initialize(mode=st.sampled_from(["USD", "EUR"]))
    def bought(self, mode: str) -> None:
        self.world = World.build()
        subscription = self.world.subscription(3, charged=None)
        Agreement.objects.filter(pk=subscription.agreement_id).update(
            currency=mode, provider="stripe", external_id="sub_12345678"
        )
        self.currency, self.pk = mode, subscription.pk
        self.bill(MONTHS[1], 10_000, 10_000, 2000)

    # Facts.

    @rule(month=st.sampled_from(MONTHS), charged=CENTS, paid=st.integers(0, 100), tax=st.integers(0, 20))
    def comes_a_charge(self, month: Period, charged: int, paid: int, tax: int) -> None:
        self.bill(month, charged, charged * paid // 100, charged * tax // 120)

    def bill(self, month: Period, charged: int, paid: int, tax: int) -> None:
        number = f"ch_{next(NUMBERS)}"
        told = Told(number, month.start, month.end, charged, tax, paid, charged - paid, came_after=self.decided)
        self.told[number] = told
        self.write(told, paid, charged - paid)

    def write(self, told: Told, paid: int, in_flight: int) -> None:
        """As a file says it."""
        given = ChargeInput(
            told.number, "E3", 3, Period(told.start, told.end), told.start, self.currency,
            told.charged, told.tax, paid, in_flight,
        )  # fmt: skip
        with transaction.atomic():
            subscription = Subscription.objects.select_related("agreement__account").get(pk=self.pk)
            recorded = record_charge(agreement=subscription.agreement, charge=given, now=self.now)
            audit_charges(recorded.changes, self.now)

    @rule(data=st.data(), paid=st.integers(1, 100))
    def is_paid(self, data: Any, paid: int) -> None:
        told = self.any(data)
        amount = told.charged * paid // 100
        self.say(PaymentUpdate(frozenset({told.number}), amount, self.currency), data)
        if amount > told.paid:
            told.in_flight = max(0, told.in_flight - (amount - told.paid))
            told.paid = amount

    @rule(data=st.data())
    def fails_to_be_paid(self, data: Any) -> None:
        told = self.any(data)
        self.say(PaymentUpdate(frozenset({told.number}), 0, self.currency, failed=True), data)
        told.in_flight = 0

    @rule(data=st.data(), part=st.integers(1, 100))
    def is_corrected(self, data: Any, part: int) -> None:
        told = self.any(data)
        amount = told.billed * part // 100
        if amount:
            tax = min(amount, (told.tax - told.corrected_tax) * part // 100)
            tax = max(tax, (told.tax - told.corrected_tax) - (told.billed - amount))
            number = f"k{next(NUMBERS)}"
            charge = Charge.objects.select_related("agreement__account").get(external_id=told.number)
            with transaction.atomic():
                change = record_correction(
                    charge=charge, external_id=number, amount=Money(amount, self.currency), tax=tax,
                    corrected_at=self.now, now=self.now,
                )  # fmt: skip
                audit_charges([change] if change else [], self.now)
            told.corrections[number] = (amount, tax)

    # What others do at the provider.

    @rule(data=st.data(), part=st.integers(1, 100), kind=st.sampled_from([ReturnKind.REFUND, ReturnKind.DISPUTE]))
    def leaves_elsewhere(self, data: Any, part: int, kind: ReturnKind) -> None:
        told = self.any(data)
        amount = told.charged * part // 100
        if amount:
            number = f"x{next(NUMBERS)}"
            self.returns(told, kind)[number] = (amount, False)
            self.say(self.returned(told, kind, number, amount, ReturnStatus.OPEN), data)

    @rule(data=st.data(), back=st.booleans())
    def is_decided_elsewhere(self, data: Any, back: bool) -> None:
        open_now = [(told, kind, number) for told in self.told.values()
                    for kind in (ReturnKind.REFUND, ReturnKind.DISPUTE) for number in self.returns(told, kind)]  # fmt: skip
        if open_now:
            told, kind, number = data.draw(st.sampled_from(open_now))
            amount = self.returns(told, kind)[number][0]
            self.returns(told, kind)[number] = (amount, back)
            self.now += timedelta(seconds=1)
            self.say(self.returned(told, kind, number, amount, ReturnStatus.BACK if back else ReturnStatus.GONE), data)
            # One that was made before comes late, and is not taken.
            old = self.returned(told, kind, number, amount, ReturnStatus.OPEN, self.now - timedelta(seconds=1))
            record_update(provider="stripe", update=old, now=self.now)

    def returned(
        self, told: Told, kind: ReturnKind, number: str, amount: int, status: ReturnStatus, at: datetime | None = None
    ) -> ReturnUpdate:
        ids = frozenset({told.number})
        return ReturnUpdate(ids, kind, number, amount, self.currency, status, at or self.now)

    @staticmethod
    def returns(told: Told, kind: ReturnKind) -> dict[str, tuple[int, bool]]:
        return told.refunds if kind is ReturnKind.REFUND else told.disputes

    @precondition(lambda self: not self.decided and not self.ended)
    @rule()
    def ends_elsewhere(self) -> None:
        self.provider.stopped.append(("stop now", "sub_12345678"))
        record_update(provider="stripe", update=SubscriptionUpdate("sub_12345678"), now=self.now)
        self.settle()
        self.ended = True

    @rule(data=st.data(), outcome=st.sampled_from([RefundOutcome.SUCCEEDED, RefundOutcome.FAILED]), heard=st.booleans())
    def speaks_of_a_refund(self, data: Any, outcome: RefundOutcome, heard: bool) -> None:
        """Nothing is final: what is on its way ends, and what has succeeded fails after all."""
        keys = [
            key for key, result in self.provider.results.items()
            if result.outcome is RefundOutcome.PENDING
            or (result.outcome is RefundOutcome.SUCCEEDED and outcome is RefundOutcome.FAILED)
        ]  # fmt: skip
        if keys:
            key = data.draw(st.sampled_from(sorted(keys)))
            self.provider.settle(key, outcome)
            if heard:
                result = RefundResult(outcome, f"T-{key}", self.provider.results[key].failure)
                self.say(RefundUpdate(key, result), data)

    def say(self, update: Any, data: Any) -> None:
        """Once or twice."""
        for _ in range(data.draw(st.integers(1, 2), label="times")):
            record_update(provider="stripe", update=update, now=self.now)

    # What we decide.

    @precondition(lambda self: not self.decided and not self.ended)
    @rule(mode=st.sampled_from(Mode))
    def is_canceled(self, mode: Mode) -> None:
        # A key of its own: the same one would answer what was undone since.
        self.now += timedelta(seconds=1)
        subscription = Subscription.objects.get(pk=self.pk)
        decision = SubscriptionBatch.get(self.world.caller(), self.pk, self.now).decisions[self.pk]
        if decision.quote(mode) is None:
            return
        made = cancel(self.world, subscription, mode, self.now)
        self.decided = Decided(self.now, made.effective_at, mode is Mode.IMMEDIATE)
        promised = sum(made.refunds.values_list("amount", flat=True))
        assert promised == sum(self.decided.due(told) for told in self.told.values())
        if mode is Mode.IMMEDIATE:
            for told in self.told.values():
                simple = told.paid == told.charged and not told.corrections and not told.elsewhere
                if simple and told.end > self.now:
                    assert self.decided.due(told) + told.used(self.now) == told.charged

    @precondition(lambda self: self.decided)
    @rule()
    def is_undone(self) -> None:
        cancellation = Cancellation.objects.get(undone_at=None)
        can = self.now < cancellation.undo_until
        try:
            undo_cancellation(caller=self.world.caller(), cancellation_id=cancellation.pk, language="en", now=self.now)
        except ExpectedError:
            assert not can
        else:
            assert can
            self.decided = None

    @rule()
    def failed_ones_are_sent_again(self) -> None:
        for refund in Refund.objects.filter(status__in=["FAILED", "PARTIALLY_SUCCEEDED"]):
            refund = Refund.objects.select_related("agreement__account").get(pk=refund.pk)
            assert retry_refund(refund=refund, caller=SYSTEM, now=self.now)

    # Time, faults, workers.

    @rule(hours=st.sampled_from([0, 1, 23, 24, 70, 100, 400]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(trouble=st.sampled_from(TROUBLES))
    def has_trouble(self, trouble: str) -> None:
        self.provider.troubles.append(trouble)

    @rule()
    def a_worker_works(self) -> None:
        with time_machine.travel(self.now, tick=False):
            work_off(lambda: self.now)

    def any(self, data: Any) -> Told:
        return self.told[data.draw(st.sampled_from(sorted(self.told)), label="charge")]

    # What has to hold.

    @invariant()
    def one_cancellation_at_most_is_in_force(self) -> None:
        if not hasattr(self, "world"):
            return
        subscription = Subscription.objects.get(pk=self.pk)
        in_force = list(Cancellation.objects.filter(undone_at=None))
        assert len(in_force) == bool(self.decided)
        assert subscription.canceled_mode == (in_force[0].mode if in_force else None)

    @invariant()
    def the_rule_holds_of_what_we_promise(self) -> None:
        for charge in Charge.objects.all():
            parts = RefundPart.objects.filter(charge=charge).exclude(refund__status=RefundStatus.VOIDED)
            ours = parts.aggregate(Sum("amount"))["amount__sum"] or 0
            assert charge.refunded == ours <= charge.paid
            told = self.told[charge.external_id]
            assert (charge.paid, charge.in_flight) == (told.paid, told.in_flight)
            assert charge.returned_elsewhere + charge.disputed == told.elsewhere
            assert charge.tax - charge.corrected_tax <= charge.charged - charge.corrected
            assert all(part.tax <= part.amount for part in parts)

    @invariant()
    def every_promise_has_a_task_or_an_end(self) -> None:
        for refund in Refund.objects.filter(status__in=LIVE):
            task = Task.objects.get(key=f"refund.submit:{refund.pk}")
            assert task.status == "WAITING", refund

    @invariant()
    def the_status_follows_from_facts_and_time(self) -> None:
        if hasattr(self, "world"):
            batch = SubscriptionBatch.get(self.world.caller(), self.pk, self.now)
            row = Subscription.objects.with_status(self.now).get(pk=self.pk)
            status = batch.decisions[self.pk].status
            assert row.status_now == status  # type: ignore[attr-defined]
            if self.decided:
                over = self.now >= self.decided.ends_at
                assert (status in (Status.EXPIRED, Status.DISABLED, Status.DELETED)) is over
            elif self.ended:
                assert status in (Status.EXPIRED, Status.DISABLED, Status.DELETED)

    @rule()
    def settle(self) -> None:
        """Every fault is over and everything that is due was done: what is promised is what is due, and reconcile says
        what is not."""
        self.provider.troubles.clear()
        for _ in range(4):
            self.now += timedelta(hours=5)
            self.a_worker_works()
        self.what_is_promised_is_what_is_due()
        said = Counter((finding.kind.value, finding.name or finding.subject) for finding in found(self.now))
        assert said == self.expected()

    def what_is_promised_is_what_is_due(self) -> None:
        for told in self.told.values():
            parts = RefundPart.objects.filter(charge__external_id=told.number).exclude(
                refund__status=RefundStatus.VOIDED
            )
            live = parts.filter(refund__status__in=LIVE, status=PartStatus.WAITING)
            sent = parts.exclude(pk__in=live.values("pk"))
            due = self.decided.due(told) if self.decided else 0
            total = sum(part.amount for part in parts)
            assert total == max(due, sum(part.amount for part in sent))

    def expected(self) -> Counter[tuple[str, str]]:
        """What does not add up, from what was told and what became of what we sent."""
        wrong: Counter[tuple[str, str]] = Counter()
        for told in self.told.values():
            parts = RefundPart.objects.filter(charge__external_id=told.number).exclude(
                refund__status=RefundStatus.VOIDED
            )
            ours = sum(part.amount for part in parts)
            over = ours + told.elsewhere - told.returnable
            if over > ours:
                wrong["CHARGE_EXCEEDED", told.number] += 1
            due = self.decided.due(told) if self.decided else 0
            surplus = ours - due
            # Nothing of what failed has left.
            for part in parts.exclude(status=PartStatus.FAILED).order_by("-refund_id"):
                if surplus > 0:
                    wrong["REFUND_OVERDRAWN", str(part.refund_id)] += 1
                    surplus -= part.amount
            back = sum(part.amount for part in parts.filter(status=PartStatus.SUCCEEDED))
            if self.decided and self.decided.is_late(told) and back + told.elsewhere < told.billed:
                wrong["LATE_CHARGE", told.number] += 1
        for refund in Refund.objects.all():
            if refund.status in ("FAILED", "PARTIALLY_SUCCEEDED"):
                wrong["REFUND_FAILED", str(refund.pk)] += 1
            if refund.status in LIVE and refund.due_by < self.now.date():
                wrong["REFUND_OVERDUE", str(refund.pk)] += 1
        for part in RefundPart.objects.exclude(refund__status=RefundStatus.VOIDED):
            theirs = self.provider.results.get(part.key)
            if part.status == PartStatus.SUCCEEDED and theirs and theirs.outcome is not RefundOutcome.SUCCEEDED:
                wrong["PART_DIFFERS", str(part.pk)] += 1
        return wrong


@pytest.mark.long
@pytest.mark.django_db
def test_the_books_add_up_whatever_happens() -> None:
    run_state_machine_as_test(
        Books,
        settings=settings(
            max_examples=SEQUENCES, stateful_step_count=30, deadline=None, derandomize="WAYOUT_SEQUENCES" not in os.environ,
            suppress_health_check=list(HealthCheck), print_blob=True,
        ),
    )  # fmt: skip
