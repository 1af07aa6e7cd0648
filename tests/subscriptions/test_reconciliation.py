"""Each kind of finding is found when it is made, says what to do, and is about a page that opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db.models import F
from django.utils import translation

from billing.models import Agreement, Charge, ProviderNotice, Refund, RefundPart
from billing.money import Money
from billing.providers.base import RefundOutcome, RefundRequest
from outbox.models import Task
from subscriptions.carriers import registered
from subscriptions.models import (
    Cancellation,
    License,
    LicenseTally,
    Reconciliation,
    Removal,
    RemovalRequest,
    Subscription,
)
from subscriptions.policy.facts import Mode
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from tenants.models import Tenant
from tests.admin.test_admin import client_of
from tests.builders import PERIOD
from tests.carriers import FakeCarrier
from tests.providers import TestProvider, used
from tests.reconciling import found
from tests.subscriptions.test_lifecycle import after, cancel, work
from tests.world import World

pytestmark = pytest.mark.django_db
LATER = after(hours=74)


@pytest.fixture
def provider() -> Iterator[TestProvider]:
    with used(TestProvider()) as made:
        yield made


@pytest.fixture
def canceled(world: World, provider: TestProvider, settings: Any) -> World:
    """Somebody left, the provider was told and has paid back: everything adds up."""
    settings.WAYOUT_PROVIDER = "stripe"
    settings.WAYOUT_STRIPE_KEY, settings.WAYOUT_LEDGER_INVOICED_BY = "sk_test_1", ""
    subscription = world.subscription()
    Agreement.objects.update(provider="stripe", external_id="sub_one")
    cancel(world, subscription)
    work(after(minutes=1))
    work(after(hours=73))
    return world


def part() -> RefundPart:
    return RefundPart.objects.get()


def says(provider: TestProvider, outcome: RefundOutcome) -> None:
    provider.settle(str(part().pk), outcome)


def bill_again(world: World, provider: TestProvider) -> None:
    world.charge(
        Subscription.objects.get(), period_start=PERIOD.end, period_end=PERIOD.end + timedelta(days=30),
        recorded_at=after(hours=1), paid=0,
    )  # fmt: skip


def one_id(world: World, provider: TestProvider) -> None:
    for _ in range(2):
        world.charge(world.subscription(charged=None), external_id="ch_twice", recorded_at=after(hours=1))


def another_refund(world: World, provider: TestProvider) -> None:
    asked = RefundRequest("not-ours", 1, "ch-1", Money(500, "EUR"), Money(500, "EUR"), "x", after(hours=2))
    provider.refund(asked)


def noticed(world: World, provider: TestProvider) -> None:
    ProviderNotice.objects.create(
        provider="stripe", reference="dp_1", reason="TOO_MUCH", agreement=Agreement.objects.get(), charge_id="ch_1",
        amount=5, currency="EUR", said_at=after(hours=1),
    )  # fmt: skip


def untold(world: World, provider: TestProvider) -> None:
    Agreement.objects.update(external_id="")


def paid_under_an_older_key(world: World, provider: TestProvider) -> None:
    RefundPart.objects.update(retries=1, status="FAILED", reference="")


def fails(provider: TestProvider, method: str) -> None:
    def broken(*_given: Any) -> Any:
        raise ValueError("a secret key")

    setattr(provider, method, broken)


def find_fails(world: World, provider: TestProvider) -> None:
    provider.lists = False
    fails(provider, "find")


def task(status: str, **values: Any) -> Callable[[World, TestProvider], None]:
    def made(world: World, provider: TestProvider) -> None:
        given = {"run_at": after(hours=80), "created_at": after(), "last_failure": "no", **values}
        Task.objects.create(key="k1", kind="note", status=status, **given)

    return made


def refund(**values: Any) -> Callable[[World, TestProvider], None]:
    return lambda _world, _provider: Refund.objects.update(**values) and None


def removal(at: datetime, **decided: Any) -> Removal:
    subscription = Subscription.objects.get()
    License.objects.update(is_direct=True)
    made = RemovalRequest.objects.create(tenant=subscription.tenant, subscription=subscription, requested_at=at)
    return Removal.objects.create(request=made, license=subscription.licenses.first(), requested_at=at, **decided)


def refused_late(world: World, provider: TestProvider) -> None:
    removal(after(minutes=-1), status="REFUSED", reason="OTHER", decided_at=after(hours=1))


Scene = Callable[[World, TestProvider], object]
SCENES: dict[FindingKind, Scene] = {
    FindingKind.RESERVED_OTHERWISE: lambda *_: Charge.objects.update(refunded=1),
    FindingKind.CHARGE_EXCEEDED: lambda *_: Charge.objects.update(returned_elsewhere=5000),
    FindingKind.PROVIDER_NOTICE: noticed,
    FindingKind.LATE_CHARGE: bill_again,
    FindingKind.CHARGES_OF_ONE_ID: one_id,
    FindingKind.REFUND_AMOUNT: lambda *_: RefundPart.objects.update(promised=1),
    FindingKind.REFUND_UNFINISHED: lambda *_: RefundPart.objects.update(status="SENT"),
    FindingKind.REFUND_FAILED: refund(status="FAILED"),
    FindingKind.REFUND_OVERDRAWN: lambda *_: RefundPart.objects.update(amount_by_rule=0),
    FindingKind.REFUND_OVERDUE: refund(status="SUBMITTED", due_by=after(hours=24).date()),
    FindingKind.REFUND_LOST: refund(status="PENDING"),
    FindingKind.NOBODY_TOLD: untold,
    FindingKind.STOP_UNCONFIRMED: lambda *_: Agreement.objects.update(confirmed_stop="AT_PERIOD_END"),
    FindingKind.STOP_UNCERTAIN: lambda *_: Agreement.objects.update(confirmed_stop=""),
    FindingKind.STOP_DIFFERS: lambda _world, provider: provider.stopped.clear(),
    FindingKind.STOP_UNKNOWN: lambda _world, provider: provider.unknown.add("sub_one"),
    FindingKind.STOP_FAILS: lambda _world, provider: fails(provider, "renewal_stop"),
    FindingKind.UNDONE_WITH_REFUND: lambda *_: Cancellation.objects.update(undone_at=after(hours=1)),
    FindingKind.PROMISED_OTHERWISE: refund(amount=1),
    FindingKind.MODE_DIFFERS: lambda *_: Subscription.objects.update(canceled_mode=Mode.AT_PERIOD_END),
    FindingKind.TALLY_DIFFERS: lambda *_: LicenseTally.objects.update(assigned=7),
    FindingKind.REMOVALS_LATE: lambda *_: removal(after(hours=49)),
    FindingKind.NO_CARRIER: lambda *_: (removal(after(hours=73)), Tenant.objects.update(removals="CONNECTION")),
    FindingKind.REFUSED_AFTER: refused_late,
    FindingKind.TASK_GIVEN_UP: task("GIVEN_UP"),
    FindingKind.TASK_STUCK: task("STUCK"),
    FindingKind.TASK_LATE: task("WAITING", run_at=after(hours=73)),
    FindingKind.PART_DIFFERS: lambda _world, provider: says(provider, RefundOutcome.FAILED),
    FindingKind.PART_MISSING: lambda _world, provider: (provider.results.clear(), provider.asked.clear()),
    FindingKind.PART_AMOUNT: lambda *_: RefundPart.objects.update(amount=F("amount") - 1, promised=F("amount") - 1),
    FindingKind.PART_UNDER_ANOTHER_KEY: paid_under_an_older_key,
    FindingKind.PART_FAILS: find_fails,
    FindingKind.REFUND_UNKNOWN_HERE: another_refund,
    FindingKind.PROVIDER_SILENT: lambda _world, provider: provider.troubles.extend(["5xx"] * 9),
    FindingKind.PROVIDER_FAILS: lambda _world, provider: fails(provider, "refunds_between"),
}  # fmt: skip


def test_there_is_a_scene_for_every_kind(canceled: World) -> None:
    assert set(SCENES) == set(FindingKind)
    assert found(LATER) == []


@pytest.mark.parametrize("kind", FindingKind)
def test_it_is_found_and_says_what_to_do_in_every_language(
    canceled: World, provider: TestProvider, kind: FindingKind
) -> None:
    SCENES[kind](canceled, provider)
    [finding, *more] = [finding for finding in found(LATER) if finding.kind is kind]
    assert more == []
    assert "a secret key" not in str(finding)
    kept = Finding.of_json(finding.as_json())
    assert kept == finding
    for language in ("en", "bg"):
        with translation.override(language):
            assert ": " in str(kept)
            assert "%" not in str(kept) + kept.what_to_do
            assert kept.what_to_do.endswith(".")
    staff = canceled.person(None, is_staff=True, is_superuser=True)
    if finding.address:
        assert client_of(staff).get(finding.address).status_code == 200
    # Without the providers what they are asked for is not found, and all else is.
    asks = (
        "STOP_DIFFERS",
        "STOP_UNKNOWN",
        "STOP_FAILS",
        "PROVIDER_SILENT",
        "PROVIDER_FAILS",
        "PART_",
        "REFUND_UNKNOWN",
    )
    offline = any(finding.kind is kind for finding in found(LATER, ask_provider=False))
    assert offline is not kind.startswith(asks)


COMPARED = [
    FindingKind.RESERVED_OTHERWISE, FindingKind.LATE_CHARGE, FindingKind.CHARGES_OF_ONE_ID, FindingKind.REFUND_AMOUNT,
    FindingKind.REFUND_UNFINISHED, FindingKind.STOP_DIFFERS, FindingKind.STOP_UNKNOWN, FindingKind.STOP_FAILS,
    FindingKind.UNDONE_WITH_REFUND, FindingKind.PROMISED_OTHERWISE, FindingKind.MODE_DIFFERS, FindingKind.PART_DIFFERS,
    FindingKind.REFUSED_AFTER,
    FindingKind.PART_MISSING, FindingKind.PART_UNDER_ANOTHER_KEY, FindingKind.PART_FAILS,
    FindingKind.REFUND_UNKNOWN_HERE, FindingKind.PROVIDER_FAILS,
]  # fmt: skip
OPEN = sorted(set(FindingKind) - {*COMPARED, FindingKind.PROVIDER_SILENT, FindingKind.PART_AMOUNT})


def at_last(kind: FindingKind) -> list[FindingKind]:
    """What is found half a year later, in the usual window."""
    later = after(days=180)
    return [finding.kind for finding in found(later, since=later - timedelta(days=7)) if finding.kind is kind]


@pytest.mark.parametrize("kind", OPEN)
def test_what_stands_open_is_found_however_old_it_is(
    canceled: World, provider: TestProvider, kind: FindingKind
) -> None:
    if kind is FindingKind.TALLY_DIFFERS:
        Subscription.objects.update(canceled_mode=None, ends_at=None)
    SCENES[kind](canceled, provider)
    assert at_last(kind) == [kind]


@pytest.mark.parametrize("kind", COMPARED)
def test_what_moved_before_the_window_is_not_compared(
    canceled: World, provider: TestProvider, kind: FindingKind
) -> None:
    SCENES[kind](canceled, provider)
    # The list is asked for, whatever is on it.
    assert at_last(kind) == ([kind] if kind is FindingKind.PROVIDER_FAILS else [])


@pytest.mark.parametrize("kind", [kind for kind in COMPARED if kind is not FindingKind.REFUND_UNKNOWN_HERE])
def test_what_was_found_stays_until_it_is_mended(canceled: World, provider: TestProvider, kind: FindingKind) -> None:
    SCENES[kind](canceled, provider)
    first = [finding for finding in found(LATER) if finding.kind is kind]
    before = Reconciliation.objects.create(
        since=after(days=-7), until=LATER, started_at=LATER, finished_at=LATER,
        findings=[finding.as_json() for finding in first],
    )  # fmt: skip
    assert at_last(kind) == [kind]
    # Only the last run that told of now is gone on from.
    Reconciliation.objects.create(since=after(), until=after(hours=1), started_at=LATER, finished_at=LATER)
    assert at_last(kind) == [kind]
    Reconciliation.objects.filter(pk=before.pk).update(findings=[])
    assert at_last(kind) == ([kind] if kind is FindingKind.PROVIDER_FAILS else [])


def test_nothing_is_said_of_what_is_on_its_way_or_decided(canceled: World, provider: TestProvider) -> None:
    says(provider, RefundOutcome.FAILED)
    RefundPart.objects.update(status="SENT")
    Refund.objects.update(status="SUBMITTED")
    Task.objects.filter(kind="refund.submit").update(status="WAITING", run_at=after(hours=75))
    assert found(LATER) == []
    RefundPart.objects.update(status="FAILED")
    assert [finding.kind for finding in found(LATER)] == []
    # Noted as settled by hand, after a restore, before it was sent again.
    RefundPart.objects.update(status="WAITING")
    Refund.objects.update(status="SETTLED_MANUALLY")
    says(provider, RefundOutcome.SUCCEEDED)
    assert found(LATER) == []


def test_a_refusal_is_of_no_concern_before_it_was_canceled_nor_once_it_is_mended(
    canceled: World, provider: TestProvider
) -> None:
    refused = {"status": "REFUSED", "reason": "OTHER"}
    removal(after(minutes=-2), **refused, decided_at=after(minutes=-1))
    assert found(LATER) == []
    late = removal(after(minutes=-1), **refused, decided_at=after(hours=1))
    assert [str(finding) for finding in found(LATER)] == [
        f"cancellation {Cancellation.objects.get().reference}: removals that were on their way when it was canceled, and"
        " that the directory has refused: 1"
    ]
    anew = removal(after(hours=72))
    assert found(LATER) == []
    anew.delete()
    License.objects.update(is_direct=False)
    assert found(LATER) == []
    License.objects.update(is_direct=True)
    Cancellation.objects.update(undone_at=after(hours=2))
    assert FindingKind.REFUSED_AFTER not in {finding.kind for finding in found(LATER)}
    assert late.pk


def test_what_waits_less_than_a_day_or_has_its_connection_is_fine(canceled: World, provider: TestProvider) -> None:
    removal(LATER - timedelta(hours=24))
    Tenant.objects.update(removals="CONNECTION")
    with registered("fake", FakeCarrier({canceled.tenant.pk})):
        assert found(LATER) == []


def test_what_a_provider_stopped_by_itself_is_what_it_should_be(canceled: World, provider: TestProvider) -> None:
    Agreement.objects.update(renewal_stop="NONE", confirmed_stop="NOW", stopped_elsewhere="NOW")
    assert found(LATER, ask_provider=False) == []
    # But not what was decided on top of it, and has not been heard.
    Agreement.objects.update(renewal_stop="NOW", confirmed_stop="AT_PERIOD_END", stopped_elsewhere="AT_PERIOD_END")
    assert [finding.kind for finding in found(LATER, ask_provider=False)] == [FindingKind.STOP_UNCONFIRMED]


def test_what_came_under_a_replaced_key_and_is_on_record_is_fine(canceled: World, provider: TestProvider) -> None:
    reference = part().reference
    RefundPart.objects.update(retries=1)
    assert found(LATER) == []
    provider.lists = False
    assert found(LATER) == []
    RefundPart.objects.update(reference="T-another")
    for lists in (True, False):
        provider.lists = lists
        assert [finding.kind for finding in found(LATER)] == [FindingKind.PART_UNDER_ANOTHER_KEY]
    # Staff heard of it when it came.
    RefundPart.objects.update(amount_by_rule=0)
    assert [finding.kind for finding in found(LATER)] == [FindingKind.REFUND_OVERDRAWN]
    assert reference


def test_what_was_sent_after_the_backup_is_found_in_either_way(canceled: World, provider: TestProvider) -> None:
    RefundPart.objects.update(status="WAITING", sent_at=None, reference="")
    Refund.objects.update(status="PENDING")
    Task.objects.filter(kind="refund.submit").update(status="WAITING", run_at=LATER)
    for lists in (True, False):
        provider.lists = lists
        [finding] = found(LATER)
        assert finding.kind is FindingKind.PART_DIFFERS
        assert str(finding).endswith("we say WAITING, the provider says SUCCEEDED")


def test_an_amount_in_another_currency_is_not_compared(canceled: World, provider: TestProvider) -> None:
    key, asked = next(iter(provider.asked.items()))
    provider.asked[key] = RefundRequest(
        key, asked.charge, asked.charge_id, Money(1, "BGN"), Money(1, "BGN"), "x", asked.at
    )
    assert found(LATER) == []


def test_a_kind_that_is_gone_hides_no_run(db: Any) -> None:
    assert Finding.of_json({"kind": "NO_LONGER", "subject": "1", "values": {}, "name": "", "page": ""}) is None
