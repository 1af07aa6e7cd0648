"""A cancellation reaches whoever bills: under the id that came with the facts, by the provider that it began with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.db import IntegrityError, transaction

from billing.errors import ProviderIdTaken
from billing.models import Agreement, Refund, RefundPart
from billing.renewal import set_provider_id
from billing.renewal_stop import RenewalStop
from outbox.models import Task
from subscriptions.cancellations.service import undo_cancellation
from subscriptions.models import Cancellation, Subscription
from subscriptions.policy.facts import Mode
from tenants.callers import Role
from tenants.models import AuditEvent
from tenants.people import SYSTEM
from tests.billing.fake_stripe import FakeStripe
from tests.builders import NOW
from tests.imports import import_files
from tests.providers import TestProvider, used
from tests.reconciling import findings
from tests.subscriptions.test_lifecycle import after, cancel, work
from tests.world import World

pytestmark = pytest.mark.django_db
HEADER = (
    "charge_id,product,subscription_id,seats,charged,settled,currency,period_start,period_end,provider,provider_id\n"
)


@pytest.fixture
def stripe(server: FakeStripe) -> FakeStripe:
    server.subscribe("sub_11111112")
    return server


@pytest.fixture
def imported(tmp_path: Path) -> Any:
    """Imports rows of charges beside one user, and answers with what was printed."""
    users, charges = tmp_path / "users.csv", tmp_path / "charges.csv"
    users.write_text("User principal name,Display name,Licenses\na@x.example,Ada,E3\n")

    def run(*rows: str, at: datetime = NOW) -> str:
        charges.write_text(HEADER + "\n".join(rows) + "\n")
        with time_machine.travel(at, tick=False):
            said, _ = import_files(tenant="x.example", users=users, charges=charges)
        return " ".join(said.split())

    return run


def charge(number: int, provider: str = "stripe", provider_id: str = "sub_11111111", subscription: str = "s1") -> str:
    return f"ch_{number},E3,{subscription},5,100.00,100.00,EUR,2026-11-01,2026-12-01,{provider},{provider_id}"


def world_of(external_id: str = "s1") -> tuple[World, Subscription]:
    subscription = Subscription.objects.select_related("tenant", "agreement").get(external_id=external_id)
    world = World(subscription.tenant, None)  # type: ignore[arg-type]
    world.admin = world.person(Role.GLOBAL_ADMIN)
    return world, subscription


def undo(world: World, cancellation: Cancellation, at: datetime) -> None:
    undo_cancellation(caller=world.caller(), cancellation_id=cancellation.pk, language="en", now=at)


@pytest.mark.parametrize("mode", Mode)
def test_what_was_imported_with_its_id_stops_at_stripe_and_goes_on(
    stripe: FakeStripe, imported: Any, mode: Mode
) -> None:
    assert "1 ids at the provider written down" in imported(charge(1))
    world, subscription = world_of()
    cancellation = cancel(world, subscription, mode)
    work(after(minutes=1))
    assert stripe.subscriptions["sub_11111111"]["cancel_at_period_end"]
    assert list(findings(after(minutes=1))) == []
    undo(world, cancellation, after(hours=1))
    work(after(hours=1))
    assert not stripe.subscriptions["sub_11111111"]["cancel_at_period_end"]
    assert list(findings(after(hours=1))) == []
    cancel(world, subscription, mode, at=after(hours=2))
    work(after(hours=2))
    work(after(hours=80))
    at_stripe = stripe.subscriptions["sub_11111111"]
    assert (at_stripe["status"] == "canceled") == (mode is Mode.IMMEDIATE)
    assert at_stripe["cancel_at_period_end"]
    assert list(findings(after(hours=80))) == []


def test_what_was_begun_with_a_provider_ends_with_it(stripe: FakeStripe, imported: Any, settings: Any) -> None:
    imported(charge(1))
    world, subscription = world_of()
    cancellation = cancel(world, subscription)
    work(after(minutes=1))
    assert cancellation.refunds.get().provider == "stripe"
    settings.WAYOUT_PROVIDER = "ledger"
    undo(world, cancellation, after(hours=1))
    work(after(hours=1))
    assert not stripe.subscriptions["sub_11111111"]["cancel_at_period_end"]
    assert Agreement.objects.values_list("confirmed_stop", flat=True).get() == "NONE"
    assert cancel(world, subscription, at=after(hours=2)).refunds.latest("pk").provider == "stripe"


def test_reconcile_compares_what_the_provider_says(stripe: FakeStripe, imported: Any) -> None:
    imported(charge(1))
    world, subscription = world_of()
    cancellation = cancel(world, subscription, Mode.AT_PERIOD_END)
    work(after(minutes=1))
    # Somebody takes it back in the dashboard, and later stops it there after our undo.
    stripe.subscriptions["sub_11111111"]["cancel_at_period_end"] = False
    assert "was told that it stops at the end of the period, and says that it goes on" in " ".join(
        findings(after(minutes=2))
    )
    undo(world, cancellation, after(hours=1))
    work(after(hours=1))
    stripe.subscriptions["sub_11111111"]["cancel_at_period_end"] = True
    assert "was told that it goes on, and says that it stops at the end of the period" in " ".join(
        findings(after(hours=1))
    )
    del stripe.subscriptions["sub_11111111"]
    assert "the provider does not know it" in " ".join(findings(after(hours=1)))
    assert list(findings(after(hours=1), ask_provider=False)) == []


def test_reconcile_outlives_a_provider_that_fails(stripe: FakeStripe, imported: Any, settings: Any) -> None:
    imported(charge(1))
    world, subscription = world_of()
    cancel(world, subscription, Mode.IMMEDIATE)
    work(after(minutes=1))
    settings.WAYOUT_PROVIDERS = ["tests.billing.odd_providers.Whole"]
    Agreement.objects.filter(pk=subscription.agreement_id).update(provider="odd", external_id="odd_1")
    Refund.objects.update(provider="odd")
    RefundPart.objects.update(status="SUCCEEDED", sent_at=after(minutes=1))
    said = " ".join(findings(after(minutes=2)))
    assert f"agreement {subscription.agreement_id}: the provider fails with ValueError" in said
    assert f"refund part {RefundPart.objects.get().pk}: the provider fails with ValueError" in said
    assert "a secret key" not in said


def test_a_cancellation_that_nobody_could_be_told_of_is_a_finding_until_the_id_comes(
    stripe: FakeStripe, imported: Any
) -> None:
    text = imported(charge(1, "", "", subscription="sub_11111112"))
    assert "subscription_id sub_11111112 looks like an id of stripe, which is not told by it" in text
    world, subscription = world_of("sub_11111112")
    assert subscription.agreement.external_id == ""
    cancel(world, subscription, Mode.AT_PERIOD_END)
    work(after(minutes=1))
    assert not stripe.subscriptions["sub_11111112"]["cancel_at_period_end"]
    assert "nobody could be told" in " ".join(findings(after(minutes=1)))
    text = imported(charge(1, "stripe", "sub_11111112", subscription="sub_11111112"), at=after(hours=1))
    assert "looks like" not in text
    work(after(hours=1))
    assert stripe.subscriptions["sub_11111112"]["cancel_at_period_end"]
    assert list(findings(after(hours=1))) == []
    event = AuditEvent.objects.get(action="agreement.provider_set")
    assert (event.data["external_id"], event.data["before"]["external_id"]) == ("sub_11111112", "")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([charge(1, "ledger", "x-1")], "“ledger” bills nothing here; what does is stripe"),
        ([charge(1, "paypal", "I-1")], "“paypal” bills nothing here"),
        ([charge(1, "stripe", "cus_1")], "“cus_1” is not how stripe calls a subscription"),
        ([charge(1, "stripe", "")], "“” is not how stripe calls a subscription"),
        ([charge(1), charge(2, "stripe", "sub_11111112")], "line 2 says sub_11111111, this sub_11111112"),
        ([charge(1), charge(2, subscription="s2")], "The id sub_11111111 is that of another subscription"),
    ],
)
def test_an_id_that_nothing_can_be_told_by_is_reported_and_the_charge_comes_in(
    imported: Any, rows: list[str], reason: str
) -> None:
    text = imported(*rows)
    assert reason in text
    assert f"{len(rows)} charges recorded" in text


def test_an_id_given_without_its_provider_is_the_installations(stripe: FakeStripe, imported: Any) -> None:
    imported(charge(1, ""))
    assert world_of()[1].agreement.provider == "stripe"


def test_an_id_given_without_its_provider_is_of_the_one_that_the_agreement_names(
    stripe: FakeStripe, imported: Any, settings: Any
) -> None:
    settings.WAYOUT_PROVIDER = "ledger"
    imported(charge(1, "", ""))
    world, subscription = world_of()
    cancel(world, subscription, at=NOW)
    settings.WAYOUT_PROVIDER = "stripe"
    text = imported(charge(1, ""), at=after(hours=1))
    assert "“ledger” bills nothing here" in text
    assert Agreement.objects.get().external_id == ""


def test_the_database_keeps_ids_apart(world: World) -> None:
    one, other = world.subscription().agreement, world.subscription().agreement
    with pytest.raises(IntegrityError), transaction.atomic():
        Agreement.objects.filter(pk=one.pk).update(external_id="sub_11111111")
    Agreement.objects.filter(pk=one.pk).update(provider="stripe", external_id="sub_11111111")
    with pytest.raises(IntegrityError), transaction.atomic():
        Agreement.objects.filter(pk=other.pk).update(provider="stripe", external_id="sub_11111111")
    with transaction.atomic(), pytest.raises(ProviderIdTaken):
        set_provider_id(
            agreement=other, provider="stripe", external_id="sub_11111111", caller=SYSTEM, language="en", now=NOW
        )


def billed(world: World) -> Subscription:
    subscription = world.subscription()
    Agreement.objects.filter(pk=subscription.agreement_id).update(provider="stripe", external_id="sub_11111111")
    return subscription


def test_a_definite_no_is_given_up_at_once_and_named(world: World) -> None:
    with used(TestProvider()) as provider:
        cancel(world, billed(world))
        provider.troubles = ["unknown"]
        work(after(minutes=1))
        task = Task.objects.get(kind="agreement.confirm_stop")
        assert (task.status, task.last_failure) == ("GIVEN_UP", "no such subscription")
        said = " ".join(findings(after(minutes=1), ask_provider=False))
    assert "given up, no such subscription" in said
    assert "stripe was told that it goes on, it should be that it stops at the end of the period" in said


def test_an_outage_is_waited_out_and_is_worth_a_line(world: World, settings: Any) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    with used(TestProvider()) as provider:
        cancel(world, billed(world), Mode.AT_PERIOD_END)
        provider.troubles = ["5xx"] * 20 + ["key"]
        at = after(minutes=1)
        for _ in range(21):
            work(at)
            at = max(at, Task.objects.get(kind="agreement.confirm_stop").run_at)
        assert "nobody knows what stripe has heard" in " ".join(findings(at, ask_provider=False))
        assert any("refuses our key" in message.subject for message in mail.outbox)
        work(at)
        assert provider.stopped == [("stop at period end", "sub_11111111")]
        assert provider.renewal_stop("sub_11111111") is RenewalStop.AT_PERIOD_END


def test_who_bills_on_is_told_again(world: World) -> None:
    from tests.subscriptions.test_money_after import DECEMBER, bill

    with used(TestProvider()) as provider:
        subscription = billed(world)
        cancel(world, subscription, Mode.AT_PERIOD_END)
        work(after(minutes=1))
        bill(subscription, DECEMBER, 2000, after(hours=1))
        work(after(hours=1))
    assert provider.stopped == [("stop at period end", "sub_11111111")] * 2


def test_an_id_corrected_after_the_telling_is_told_itself(world: World) -> None:
    with used(TestProvider()) as provider:
        subscription = billed(world)
        cancel(world, subscription, Mode.AT_PERIOD_END)
        work(after(minutes=1))
        with transaction.atomic():
            agreement = Agreement.objects.select_related("account").get(pk=subscription.agreement_id)
            given = {"agreement": agreement, "provider": "stripe", "external_id": "sub_11111112", "caller": SYSTEM}
            assert set_provider_id(**given, language="en", now=after(hours=1))  # type: ignore[arg-type]
            assert not set_provider_id(**given, language="en", now=after(hours=1))  # type: ignore[arg-type]
        work(after(hours=1))
    assert provider.stopped == [("stop at period end", "sub_11111111"), ("stop at period end", "sub_11111112")]


class Interrupted(TestProvider):
    """Something happens while it is being told."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = meanwhile

    def stop_at_period_end(self, external_id: str) -> None:
        super().stop_at_period_end(external_id)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()


@pytest.mark.parametrize("another_worker", [True, False])
def test_an_undo_while_the_provider_is_being_told_is_told_too(world: World, another_worker: bool) -> None:
    cancellation = cancel(world, billed(world))

    def meanwhile() -> None:
        undo(world, cancellation, after(minutes=2))
        if another_worker:
            work(after(minutes=2))

    with used(Interrupted(meanwhile)) as provider:
        work(after(minutes=1))
        work(after(minutes=3))
        assert provider.renewal_stop("sub_11111111") is RenewalStop.NONE
        assert list(findings(after(minutes=5))) == []


def test_an_undo_after_a_worker_died_over_the_telling_is_told(world: World) -> None:
    cancellation = cancel(world, billed(world))

    def die() -> None:
        raise KeyboardInterrupt

    with used(Interrupted(die)) as provider:
        with pytest.raises(KeyboardInterrupt):
            work(after(minutes=1))
        undo(world, cancellation, after(minutes=2))
        work(after(minutes=5))
        assert provider.renewal_stop("sub_11111111") is RenewalStop.NONE


def test_importing_again_takes_no_correction_of_staff_back(stripe: FakeStripe, imported: Any) -> None:
    imported(charge(1))
    world, subscription = world_of()
    cancel(world, subscription)
    with transaction.atomic():
        agreement = Agreement.objects.select_related("account").get(pk=subscription.agreement_id)
        set_provider_id(
            agreement=agreement, provider="stripe", external_id="sub_11111112", caller=SYSTEM, language="en", now=NOW
        )
    said = imported(charge(1), at=after(hours=1))
    assert "sub_11111112 is on record; change it under Billing agreements in the admin" in said
    work(after(hours=80))
    assert stripe.subscriptions["sub_11111111"]["status"] == "active"
    assert stripe.subscriptions["sub_11111112"]["status"] == "canceled"


def test_a_changed_setting_hides_nothing_of_what_was_promised(world: World, settings: Any) -> None:
    settings.WAYOUT_PROVIDER = "stripe"
    subscription = world.subscription()
    cancel(world, subscription)
    settings.WAYOUT_PROVIDER = "ledger"
    assert "nobody could be told" in " ".join(findings(after(hours=1), ask_provider=False))
    from tests.subscriptions.test_money_after import DECEMBER, bill

    with used(TestProvider()):
        bill(subscription, DECEMBER, 2000, after(hours=1))
        work(after(hours=1))
    assert {refund.provider for refund in Refund.objects.all()} == {"stripe"}
