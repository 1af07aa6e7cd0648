"""Removals that are asked for, carried out and settled at once: every thread gets a true answer, and each is decided once."""

from __future__ import annotations

from typing import Any

import pytest

from outbox.models import Task
from outbox.worker import work_off
from subscriptions.cancellations.service import Canceled
from subscriptions.carriers import registered
from subscriptions.carriers.base import CONFIRMED, Carried, RefusalReason
from subscriptions.directory.licenses import RemovedUsers, remove_users
from subscriptions.directory.settling import Settled, Settlement, confirm_gone, settle_removals
from subscriptions.errors import QuoteChanged
from subscriptions.models import (
    CancellationPolicy,
    DirectoryUser,
    License,
    LicenseTally,
    Removal,
    RemovalRequest,
    Subscription,
)
from tenants.models import AuditEvent
from tenants.people import SYSTEM
from tenants.verification import verify
from tests.builders import NOW
from tests.carriers import FakeCarrier
from tests.races.test_races import cancel, quote
from tests.races.together import together
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
REFUSED = Carried.refused(RefusalReason.OTHER)


def bought(world: World, assigned: int) -> Subscription:
    subscription = world.subscription(assigned, external_id=f"s-{assigned}")
    for user in DirectoryUser.objects.filter(licenses__subscription=subscription):
        DirectoryUser.objects.filter(pk=user.pk).update(external_id=f"u-{user.pk}")
    return subscription


def users_of(subscription: Subscription) -> list[int]:
    return list(License.objects.filter(subscription=subscription).order_by("pk").values_list("user", flat=True))


def remove(world: World, subscription: Subscription, users: list[int], key: str | None = None) -> RemovedUsers:
    return remove_users(
        caller=world.caller(), subscription_id=subscription.pk, users=[(f"usr_{pk}", pk) for pk in users],
        dry_run=False, idempotency_key=key, language="en", now=NOW,
    )  # fmt: skip


def settle(world: World, subscription: Subscription, users: list[int], carried: Carried) -> Settled:
    said = [Settlement(f"u-{user}", subscription.external_id, world.tenant.external_id, carried) for user in users]
    return settle_removals(caller=SYSTEM, settlements=said, language="en", now=NOW)


def counted(subscription: Subscription) -> tuple[int, int]:
    tally = LicenseTally.objects.get(pk=subscription.pk)
    return tally.assigned, tally.pending


def test_confirmed_and_refused_at_once_is_one_of_them() -> None:
    world = World.build(removals="HOST", external_id="c-1")
    subscription = bought(world, 10)
    users = users_of(subscription)
    remove(world, subscription, users)
    answers = together(20, lambda n: settle(world, subscription, users, REFUSED if n % 2 else CONFIRMED))
    assert [answer for answer in answers if not isinstance(answer, Settled)] == []
    [status] = set(Removal.objects.values_list("status", flat=True))
    agreed = [answer for answer in answers if answer == Settled(10)]
    contrary = [answer for answer in answers if answer == Settled(0, [f"u-{user}" for user in users])]
    assert (len(agreed), len(contrary)) == (10, 10)
    assert counted(subscription) == ((0, 0) if status == "CONFIRMED" else (10, 0))
    assert AuditEvent.objects.filter(action="removals.decided").count() == 1
    assert list(verify(world.tenant.pk)) == []


def test_asked_by_twenty_at_once_it_is_asked_once() -> None:
    world = World.build(removals="CONNECTION")
    subscription = bought(world, 30)
    users = users_of(subscription)[:10]
    answers = together(20, lambda _n: remove(world, subscription, users))
    requests = {answer.request_id for answer in answers if isinstance(answer, RemovedUsers)}
    assert {
        removal.outcome.value for answer in answers if isinstance(answer, RemovedUsers) for removal in answer.removals
    } == {"REQUESTED"}
    assert (len(answers), requests) == (20, {RemovalRequest.objects.get().pk})
    assert (Removal.objects.count(), Task.objects.filter(kind="removals.carry").count()) == (10, 1)
    assert AuditEvent.objects.count() == 1
    assert counted(subscription) == (30, 10)


def test_one_key_for_many_at_once_is_answered_alike() -> None:
    world = World.build(removals="HOST")
    subscription = bought(world, 30)
    users = users_of(subscription)[:5]
    answers = together(20, lambda _n: remove(world, subscription, users, "k"))
    assert {(len(a.removals), a.request_id) for a in answers if isinstance(a, RemovedUsers)} == {
        (5, RemovalRequest.objects.get().pk)
    }
    assert len([answer for answer in answers if isinstance(answer, RemovedUsers)]) == 20


def test_removed_and_settled_at_once() -> None:
    """A word of before belongs to what was asked before: whoever comes second meets what the first has left."""
    world = World.build(removals="HOST", external_id="c-1")
    subscription = bought(world, 30)
    users = users_of(subscription)[:5]
    remove(world, subscription, users)

    def act(number: int) -> Any:
        if number % 2:
            return remove(world, subscription, users)
        return settle(world, subscription, users, REFUSED)

    answers = together(10, act)
    assert {type(answer) for answer in answers} == {RemovedUsers, Settled}
    assert all(answer.count == 5 for answer in answers if isinstance(answer, Settled))
    asked = Removal.objects.filter(status="REQUESTED")
    assert asked.count() in (0, 5)
    assert not Removal.objects.exclude(status__in=["REQUESTED", "REFUSED"]).exists()
    assert counted(subscription) == (30, asked.count())
    assert list(verify(world.tenant.pk)) == []


def test_refused_and_canceled_at_once() -> None:
    """Either the refusal came first, and nothing was canceled; or the cancellation stands, with what was on its way."""
    world = World.build(removals="HOST", external_id="c-1")
    CancellationPolicy.objects.update(count_requested_removals=True)
    for _ in range(5):
        subscription = bought(world, 25)
        [user, *_others] = users_of(subscription)
        remove(world, subscription, [user])
        quoted = quote(world, subscription)

        def act(number: int, subscription: Subscription = subscription, user: int = user, quoted: str = quoted) -> Any:
            if number:
                return settle(world, subscription, [user], REFUSED)
            return cancel(world, subscription, quoted, f"k{subscription.pk}")

        canceled, refused = together(2, act)
        assert refused == Settled(1)
        if isinstance(canceled, Canceled):
            assert canceled.cancellation.facts["pending_removals"] == 1
        else:
            assert isinstance(canceled, QuoteChanged)
        Subscription.objects.filter(pk=subscription.pk).update(external_id="")
    assert list(verify(world.tenant.pk)) == []


def test_settled_in_two_orders_while_workers_carry_and_lists_come() -> None:
    world = World.build(removals="CONNECTION", external_id="c-1")
    one, other = bought(world, 20), bought(world, 21)
    carrier = FakeCarrier({world.tenant.pk})
    for subscription in (one, other):
        remove(world, subscription, users_of(subscription))
    License.objects.filter(subscription=other, user__in=users_of(other)[:5]).update(is_direct=False)
    said = [
        Settlement(f"u-{user}", subscription.external_id, "c-1", CONFIRMED)
        for subscription in (one, other)
        for user in users_of(subscription)
    ]

    def act(number: int) -> Any:
        if number % 4 == 0:
            return work_off(lambda: NOW)
        if number % 4 == 1:
            return confirm_gone(NOW)
        in_order = said if number % 4 == 2 else said[::-1]
        return settle_removals(caller=SYSTEM, settlements=in_order, language="en", now=NOW)

    with registered("fake", carrier):
        answers = together(12, act)
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert {answer.count for answer in answers if isinstance(answer, Settled)} == {41}
    assert set(Removal.objects.values_list("status", flat=True)) == {"CONFIRMED"}
    assert (counted(one), counted(other)) == ((0, 0), (0, 0))
    decided = [pk for event in AuditEvent.objects.filter(action="removals.decided") for pk in event.data["confirmed"]]
    assert len(decided) == len(set(decided)) == 41
    assert list(verify(world.tenant.pk)) == []
