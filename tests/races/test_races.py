"""Many at once: every thread gets a true answer, and the money moves once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.charges import record_correction
from billing.errors import RefundNotPossible, RefundPaidBefore
from billing.models import Charge, Refund, RefundPart
from billing.money import Money
from billing.refunds.requests import refund_by_hand
from common.errors import ExpectedError
from desk.codes import CloseReason
from desk.errors import WindowNotAvailable
from desk.models import CallbackDesk, CallbackRequest, CallbackSource
from desk.selectors import open_windows
from desk.services.claims import claim_callback, claim_next, release_callback
from desk.services.outcomes import close_callback
from desk.services.requests import Requested, Wish, request_callback
from outbox import registry
from outbox.worker import work_off
from subscriptions.cancellations.payments import mark_refund_paid
from subscriptions.cancellations.service import Canceled, cancel_subscription, undo_cancellation
from subscriptions.cancellations.signing import quote_id
from subscriptions.directory.licenses import RemovedUsers, remove_users
from subscriptions.errors import QuoteChanged, UndoClosed
from subscriptions.events import SubscriptionEvent
from subscriptions.models import Cancellation, IdempotencyRecord, License
from subscriptions.policy.facts import Mode
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.callers import CallerKind, Role, Scope
from tenants.models import AuditEvent, PartnerToken, User
from tenants.people import SYSTEM, caller_of_staff
from tenants.verification import verify
from tests.builders import NOW, SOFIA
from tests.desk.test_desk import ask as ask_to_be_called
from tests.imports import import_files
from tests.providers import TestProvider, pay, used
from tests.races.together import together
from tests.webhooks.receiver import Receiver
from tests.world import World, later
from webhooks.endpoints import register
from webhooks.events import publish
from webhooks.models import Endpoint, Event

pytestmark = pytest.mark.django_db(transaction=True)


def quote(world: World, subscription: Any, mode: Mode = Mode.IMMEDIATE) -> str:
    batch = SubscriptionBatch.find(world.caller(), subscription.pk, NOW)
    assert batch
    made = batch.decisions[subscription.pk].quote(mode)
    assert made
    return quote_id(made, tenant_id=world.tenant.pk, subscription_id=subscription.pk)


def cancel(world: World, subscription: Any, quoted: str, key: str, user: User | None = None) -> Canceled:
    return cancel_subscription(
        caller=world.caller(user),
        subscription_id=subscription.pk,
        quote_id=quoted,
        idempotency_key=key,
        language="en",
        now=later(minutes=1),
    )


@pytest.mark.parametrize("keys", ["one key", "a key each"])
def test_a_hundred_threads_cancel_one_subscription(keys: str) -> None:
    world = World.build()
    subscription = world.subscription()
    quoted = quote(world, subscription)
    answers = together(100, lambda n: cancel(world, subscription, quoted, "same" if keys == "one key" else f"key-{n}"))
    assert [type(answer) for answer in answers] == [Canceled] * 100
    assert sum(not answer.replayed for answer in answers) == 1  # type: ignore[union-attr]
    assert len({answer.cancellation.reference for answer in answers}) == 1  # type: ignore[union-attr]
    assert Cancellation.objects.count() == Refund.objects.count() == RefundPart.objects.count() == 1
    assert Charge.objects.get().refunded == Refund.objects.get().amount > 0
    assert IdempotencyRecord.objects.count() == (1 if keys == "one key" else 100)
    assert AuditEvent.objects.filter(action="cancellation.requested").count() == 1
    assert list(verify(world.tenant.pk)) == []


def test_case_35_two_admins_at_the_same_instant() -> None:
    world = World.build()
    subscription = world.subscription()
    other = world.person(Role.BILLING_ADMIN)
    quoted = quote(world, subscription)
    answers = together(2, lambda n: cancel(world, subscription, quoted, f"{n}", world.admin if n else other))
    assert {answer.replayed for answer in answers} == {True, False}  # type: ignore[union-attr]
    assert len({answer.cancellation.pk for answer in answers}) == 1  # type: ignore[union-attr]
    assert Refund.objects.count() == 1


def test_one_key_for_many_subscriptions_serves_one() -> None:
    world = World.build()
    subscriptions = [world.subscription() for _ in range(10)]
    quotes = [quote(world, subscription) for subscription in subscriptions]
    answers = together(10, lambda n: cancel(world, subscriptions[n], quotes[n], "same"))
    done = [answer for answer in answers if isinstance(answer, Canceled)]
    refused = [answer for answer in answers if isinstance(answer, ExpectedError)]
    assert (len(done), {error.code for error in refused}) == (1, {"IDEMPOTENCY_KEY_REUSED"})
    assert len(answers) == 10
    assert Cancellation.objects.count() == Refund.objects.count() == 1
    assert Charge.objects.filter(refunded__gt=0).count() == 1


def test_now_and_at_the_end_at_once_is_one_cancellation() -> None:
    world = World.build()
    subscription = world.subscription()
    quotes = [quote(world, subscription, mode) for mode in Mode]
    answers = together(20, lambda n: cancel(world, subscription, quotes[n % 2], f"{n}"))
    assert len({a.cancellation.reference for a in answers if isinstance(a, Canceled)}) == 1
    # Who comes with "at the end" after "now" was done is told that this is gone.
    assert {type(answer) for answer in answers} <= {Canceled, QuoteChanged}
    cancellation = Cancellation.objects.get()
    assert cancellation.mode == Mode.IMMEDIATE
    assert Refund.objects.exclude(status="VOIDED").count() == 1


@pytest.mark.parametrize("_again", range(3))
def test_a_payment_and_a_cancellation_at_the_same_instant_lose_nothing(_again: int) -> None:
    world = World.build()
    subscription = world.subscription(charged=None)
    charge = world.charge(subscription, charged=3000, paid=2600, in_flight=400)
    quoted = quote(world, subscription)

    def act(number: int) -> Any:
        if number % 2:
            return cancel(world, subscription, quoted, f"{number}")
        return pay(charge, 3000, later(minutes=1))

    answers = together(8, act)
    assert {type(answer) for answer in answers} <= {Canceled, QuoteChanged, bool}
    assert [answer for answer in answers if isinstance(answer, bool)].count(True) == 1
    work_off(lambda: later(minutes=2))
    canceled = Cancellation.objects.exists()
    assert sum(RefundPart.objects.values_list("amount", flat=True)) == (600 if canceled else 0)
    assert Charge.objects.get().refunded == (600 if canceled else 0)


@pytest.mark.parametrize("_again", range(3))
def test_a_correction_while_the_money_leaves_is_sent_or_said(_again: int) -> None:
    world = World.build()
    subscription = world.subscription(charged=10000)
    charge = Charge.objects.get()
    cancel(world, subscription, quote(world, subscription), "k")
    work_off(lambda: later(minutes=2))
    promised = Refund.objects.get().amount
    at = later(hours=80)

    def act(number: int) -> Any:
        if number == 0:
            charge.refresh_from_db()
            done = record_correction(
                charge=charge, external_id="k1", amount=Money(5000, "EUR"), tax=0, corrected_at=at, now=at
            )
            work_off(lambda: at)
            return done
        return work_off(lambda: at)

    with used(TestProvider()) as provider:
        answers = together(4, act)
        assert not [answer for answer in answers if isinstance(answer, Exception)]
        work_off(lambda: at + timedelta(minutes=1))
        [sent] = [order.amount.minor_units for order in provider.paid.values()]
    part = RefundPart.objects.get()
    assert (part.status, part.amount) == ("SUCCEEDED", sent)
    # Either it was right when it left, or somebody was told what would have been.
    assert (sent, part.amount_by_rule) in ((promised // 2, None), (promised, promised // 2))
    assert Charge.objects.get().refunded == sent


@pytest.mark.parametrize("references", ["one reference", "a reference each"])
def test_what_is_owed_is_paid_under_one_reference(settings: Any, references: str) -> None:
    """Staff, partners and the worker at once."""
    settings.WAYOUT_PROVIDER = "owed"
    world = World.build()
    subscription = world.subscription()
    cancel(world, subscription, quote(world, subscription), "k")
    at = later(hours=80)
    refund = Refund.objects.get()
    Refund.objects.update(status="PENDING")
    world.token(Scope.SETTLE)
    partner = replace(
        world.caller(),
        kind=CallerKind.PARTNER,
        id=PartnerToken.objects.get().pk,
        scopes=frozenset({Scope.SETTLE}),
        tenant_ids=frozenset({world.tenant.pk}),
    )

    def act(number: int) -> Any:
        if number % 3 == 0:
            return work_off(lambda: at)
        return mark_refund_paid(
            caller=partner, refund_id=refund.pk, paid_at=at, idempotency_key=f"{number}", now=at,
            reference="SEPA" if references == "one reference" else f"SEPA-{number}",
        )  # fmt: skip

    answers = together(9, act)
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    assert {type(error) for error in refused} == (set() if references == "one reference" else {RefundPaidBefore})
    assert sum(isinstance(answer, Refund) for answer in answers) == (6 if references == "one reference" else 1)
    refund.refresh_from_db()
    assert (refund.status, refund.returned_at, refund.parts.get().status) == ("SUCCEEDED", at, "SUCCEEDED")
    assert AuditEvent.objects.filter(action="refund.succeeded").count() == 1
    assert list(verify(world.tenant.pk)) == []


def test_nobody_waits_in_a_ring_for_an_import(tmp_path: Path) -> None:
    """Corrections with ids by file, money by hand, corrections by the API and the worker, all about one agreement."""
    world = World.build(domain="ring.example")
    subscription = world.subscription(charged=None, external_id="s1", plan="E3")
    charge = world.charge(subscription, external_id="c1", charged=10000)
    cancel(world, subscription, quote(world, subscription), "k")
    users, charges = tmp_path / "users.csv", tmp_path / "charges.csv"
    users.write_text("User principal name,Display name,Licenses\na@x.example,Ada,E3\n")
    charges.write_text(
        "charge_id,product,subscription_id,charged,settled,currency,period_start,period_end,corrects,provider,provider_id\n"
        "k9,E3,s1,-1.00,0,EUR,2026-11-01,2026-12-01,c1,stripe,sub_ring1111\n"
    )
    at = later(hours=80)

    def act(number: int) -> Any:
        match number % 4:
            case 0:
                return import_files(tenant="ring.example", users=users, charges=charges, exported_at=NOW.isoformat())
            case 1:
                return work_off(lambda: at)
            case 2:
                given = {"charge": charge, "reason": "goodwill", "due_by": at.date(), "caller": SYSTEM, "now": at}
                charge.refresh_from_db()
                try:
                    return refund_by_hand(amount=10 + number, **given)  # type: ignore[arg-type]
                except RefundNotPossible:
                    return None
            case _:
                with transaction.atomic():
                    return record_correction(
                        charge=charge, external_id=f"k{number}", amount=Money(50, "EUR"), tax=0, corrected_at=at, now=at
                    )

    with used(TestProvider()) as provider:
        answers = together(12, act)
        # One import of a tenant at a time: the others are told, and nothing else went wrong.
        told = [answer for answer in answers if "just coming in from elsewhere" in str(answer)]
        assert not [answer for answer in answers if isinstance(answer, Exception) and answer not in told]
        assert len(told) < 3
        # What the import asks for is due by its own clock, the machine's.
        both = max(at, timezone.now())
        work_off(lambda: both + timedelta(hours=2))
        work_off(lambda: both + timedelta(hours=4))
    assert Charge.objects.get().corrected == 100 + 3 * 50
    paid = sum(order.amount.minor_units for order in provider.paid.values())
    assert paid == Charge.objects.get().refunded == sum(RefundPart.objects.values_list("amount", flat=True))


@pytest.mark.long
def test_a_hundred_cancels_of_one_tenant_keep_its_chain() -> None:
    world = World.build()
    subscriptions = [world.subscription() for _ in range(100)]
    quotes = [quote(world, subscription) for subscription in subscriptions]
    answers = together(100, lambda n: cancel(world, subscriptions[n], quotes[n], f"{n}"))
    assert [type(answer) for answer in answers] == [Canceled] * 100
    assert AuditEvent.objects.filter(action="cancellation.requested").count() == 100
    assert list(verify(world.tenant.pk)) == []


@pytest.mark.long
@pytest.mark.parametrize("turn", range(10))
def test_cancel_and_undo_at_once_leave_no_money_behind(turn: int) -> None:
    world = World.build()
    subscription = world.subscription()
    first = cancel(world, subscription, quote(world, subscription), "first").cancellation

    def either(number: int) -> object:
        if number % 2:
            return undo_cancellation(
                caller=world.caller(), cancellation_id=first.pk, language="en", now=later(minutes=2)
            )
        return cancel(world, subscription, "not a quote", f"{number}-{turn}")

    answers = together(60, either)
    assert len(answers) == 60
    # While it is canceled there is nothing to cancel online; after the undo the text is no quote.
    assert {getattr(answer, "code", "done") for answer in answers} <= {"done", "QUOTE_INVALID", "ROUTE_NOT_AVAILABLE"}
    assert Charge.objects.get().refunded == 0
    assert Refund.objects.get().status == "VOIDED"
    assert list(verify(world.tenant.pk)) == []


def test_undo_and_cancel_again_and_again() -> None:
    world = World.build()
    subscription = world.subscription()
    first = cancel(world, subscription, quote(world, subscription), "first").cancellation

    def undo(_number: int) -> Cancellation:
        return undo_cancellation(caller=world.caller(), cancellation_id=first.pk, language="en", now=later(minutes=2))

    answers = together(50, undo)
    assert [type(answer) for answer in answers] == [Cancellation] * 50
    assert Charge.objects.get().refunded == 0
    assert Refund.objects.get().status == "VOIDED"
    assert AuditEvent.objects.filter(action="cancellation.undone").count() == 1
    later_one = cancel(world, subscription, quote(world, subscription), "second").cancellation
    with pytest.raises(UndoClosed):
        undo_cancellation(caller=world.caller(), cancellation_id=later_one.pk, language="en", now=later(days=9))


def test_removing_the_same_users_at_once() -> None:
    world = World.build()
    subscription = world.subscription(30)
    users = [(f"usr_{pk}", pk) for pk in License.objects.values_list("user", flat=True)[:10]]

    def remove(_number: int) -> RemovedUsers:
        return remove_users(
            caller=world.caller(),
            subscription_id=subscription.pk,
            users=users,
            dry_run=False,
            idempotency_key=None,
            language="en",
            now=NOW,
        )

    answers = together(20, remove)
    removed = [
        sum(removal.outcome == "REMOVED" for removal in answer.removals)
        for answer in answers
        if isinstance(answer, RemovedUsers)
    ]
    assert sorted(removed) == [0] * 19 + [10]
    assert License.objects.held().count() == 20
    assert AuditEvent.objects.count() == 1


def wish(number: int, window: Any = None) -> Wish:
    return Wish(f"0888 000 {number:03}", "Ada", "en", "Europe/Sofia", window, "")


def ask(world: World, subscription: Any, asked: Wish) -> Requested:
    return request_callback(
        caller=world.caller(),
        subscription_id=subscription.pk,
        wish=asked,
        idempotency_key=None,
        source=CallbackSource.GRAPHQL,
        language="en",
        now=NOW,
    )


def test_asking_for_a_call_at_once_is_one_request() -> None:
    world = World.build()
    subscription = world.subscription(25)
    answers = together(20, lambda n: ask(world, subscription, wish(1)))
    assert [type(answer) for answer in answers] == [Requested] * 20
    assert sum(not answer.existing for answer in answers) == 1  # type: ignore[union-attr]
    assert CallbackRequest.objects.count() == 1


def test_the_last_places_of_a_window() -> None:
    world = World.build()
    CallbackDesk.objects.update(window_capacity=3)
    subscriptions = [world.subscription(25) for _ in range(12)]
    window = open_windows(SOFIA, NOW, 1)[0].start
    answers = together(12, lambda n: ask(world, subscriptions[n], wish(n, window)))
    assert sum(isinstance(answer, Requested) for answer in answers) == 3
    assert sum(isinstance(answer, WindowNotAvailable) for answer in answers) == 9
    assert CallbackRequest.objects.filter(window_start=window).count() == 3


def test_case_53_many_agents_take_one_request() -> None:
    world = World.build()
    request = ask(world, world.subscription(25), wish(1)).request
    agents = [world.person(None, is_staff=True) for _ in range(16)]

    def claim(number: int) -> bool:
        agent = agents[number]
        return claim_callback(
            agent=agent, caller=caller_of_staff(agent), callback_id=request.pk, language="en", now=NOW
        )

    answers = together(16, claim)
    assert sorted(answers) == [False] * 15 + [True]  # type: ignore[type-var]
    winner = agents[answers.index(True)]
    request.refresh_from_db()
    assert request.claimed_by == winner
    loser = next(agent for agent in agents if agent != winner)
    for act in (release_callback, close_callback):
        extra = {"disposition": CloseReason.OTHER} if act is close_callback else {}
        assert not act(
            agent=loser, caller=caller_of_staff(loser), callback_id=request.pk, language="en", now=NOW, **extra
        )
    # The lease runs out and another agent can take it.
    assert claim_callback(
        agent=loser,
        caller=caller_of_staff(loser),
        callback_id=request.pk,
        language="en",
        now=NOW + timedelta(minutes=20),
    )


def test_the_database_itself_refuses_a_second_cancellation_in_force() -> None:
    world = World.build()
    subscription = world.subscription()
    made = cancel(world, subscription, quote(world, subscription), "k").cancellation
    made.pk, made.reference = None, "C-2222-2222"
    with pytest.raises(IntegrityError), transaction.atomic():
        made.save(force_insert=True)


def test_the_database_itself_refuses_a_refund_above_what_was_settled() -> None:
    world = World.build()
    world.subscription()
    with pytest.raises(IntegrityError), transaction.atomic():
        Charge.objects.update(refunded=2001)


def test_sixteen_agents_claim_the_next_of_sixty_four_requests() -> None:
    world = World.build()
    for number in range(64):
        ask_to_be_called(world, f"0888 12{number:04}")
    agents = [world.person(None, is_staff=True) for _ in range(16)]

    def work(number: int) -> list[int]:
        agent, claimed = agents[number], []
        for _ in range(4):
            found = claim_next(agent=agent, caller=caller_of_staff(agent), language="en", now=NOW)
            assert found
            assert found.claimed_by_id == agent.pk
            claimed.append(found.pk)
        return claimed

    answers = together(16, work)
    claimed = [pk for answer in answers if isinstance(answer, list) for pk in answer]
    assert len(claimed) == len(set(claimed)) == 64, answers
    assert claim_next(agent=agents[0], caller=caller_of_staff(agents[0]), language="en", now=NOW) is None
    # Who lets the lease run out loses it to the next one.
    assert claim_next(agent=agents[0], caller=caller_of_staff(agents[0]), language="en", now=later(minutes=21))


def listener(receiver: Receiver) -> Endpoint:
    """A partner of a tenant, with an endpoint at the receiver."""
    world = World.build()
    world.token(Scope.WEBHOOKS)
    partner = PartnerToken.objects.latest("pk").partner
    endpoint, secret = register(
        partner=partner, url=receiver.url, events=[], contact_email="", language="en", caller=SYSTEM, now=NOW
    )
    receiver.secret = secret or ""
    return endpoint


def happens(endpoint: Endpoint, key: str, subject: str = "sub_1") -> Event | None:
    tenant_id = PartnerToken.objects.get(partner=endpoint.partner).tenants.get().pk
    with transaction.atomic():
        return publish(
            type=SubscriptionEvent.USERS_REMOVED, key=key, tenant_id=tenant_id, subject=subject, describe=dict, now=NOW
        )


def test_events_about_one_subject_get_versions_in_a_row(receiver: Receiver) -> None:
    endpoint = listener(receiver)
    answers = together(40, lambda n: happens(endpoint, f"k{n}"))
    assert sorted(answer.version for answer in answers) == list(range(1, 41))  # type: ignore[union-attr]


def test_many_workers_deliver_each_event_once_and_ask_a_dead_receiver_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_periodic", {})
    endpoint = listener(receiver)
    for n in range(30):
        happens(endpoint, f"k{n}")
    assert sum(together(6, lambda _: work_off(lambda: NOW))) == 30  # type: ignore[arg-type]
    assert sorted(receiver.ids) == sorted(Event.objects.values_list("message_id", flat=True))
    receiver.behave = lambda _: 500
    for n in range(30):
        happens(endpoint, f"later{n}")
    work_off(lambda: NOW, limit=1)
    before, probe_at = receiver.asked, later(minutes=1)
    answers = together(6, lambda _: work_off(lambda: probe_at, limit=30))
    assert all(isinstance(answer, int) for answer in answers)
    assert receiver.asked - before == 1
