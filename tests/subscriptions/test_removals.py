"""Removals as promises: asked, carried out by a host or a connection, confirmed or refused, never lost and never doubled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from outbox.models import Task
from outbox.worker import work_off
from subscriptions.cancellations.service import cancel_subscription, undo_cancellation
from subscriptions.carriers import registered
from subscriptions.carriers.base import CONFIRMED, Carried, RefusalReason
from subscriptions.directory.carrying import carry_removals, carry_stranded
from subscriptions.directory.licenses import RemovalOutcome, RemovedUsers, remove_users
from subscriptions.directory.settling import Settled, Settlement, confirm_gone, settle_removals
from subscriptions.errors import QuoteChanged
from subscriptions.models import (
    Cancellation,
    CancellationPolicy,
    DirectoryUser,
    IdempotencyRecord,
    License,
    LicenseTally,
    Removal,
    RemovalRequest,
    RemovalStatus,
    Subscription,
)
from subscriptions.policy.decision import Reason
from subscriptions.policy.facts import Mode
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.models import AuditEvent, Removals, Tenant
from tenants.people import SYSTEM
from tests.builders import NOW
from tests.carriers import FakeCarrier
from tests.partners import Partner
from tests.subscriptions.test_lifecycle import cancel, quote_of
from tests.world import World, later
from webhooks.models import Event

pytestmark = pytest.mark.django_db
REFUSED = Carried.refused(RefusalReason.DEPENDENT_PRODUCT, "Ada has Project")


@pytest.fixture
def hosted(world: World) -> World:
    Tenant.objects.update(removals=Removals.HOST, external_id="c-1")
    world.tenant.refresh_from_db()
    return world


@pytest.fixture
def connected(world: World) -> World:
    Tenant.objects.update(removals=Removals.CONNECTION)
    world.tenant.refresh_from_db()
    return world


@pytest.fixture
def carrier(connected: World) -> Iterator[FakeCarrier]:
    found = FakeCarrier({connected.tenant.pk})
    with registered("fake", found):
        yield found


def bought(world: World, assigned: int, **given: Any) -> Subscription:
    subscription = world.subscription(assigned, external_id=f"s-{world.tenant.pk}", **given)
    for user in DirectoryUser.objects.filter(licenses__subscription=subscription):
        DirectoryUser.objects.filter(pk=user.pk).update(external_id=f"u-{user.pk}")
    return subscription


def known_there(carrier: FakeCarrier, subscription: Subscription) -> None:
    names = License.objects.filter(subscription=subscription).values_list("user__principal_name", flat=True)
    carrier.held |= {(name, subscription.plan.part_number) for name in names}


def users_of(subscription: Subscription) -> list[int]:
    return list(License.objects.filter(subscription=subscription).order_by("pk").values_list("user", flat=True))


def remove(
    world: World, subscription: Subscription, users: list[int], *, key: str | None = None, at: datetime = NOW
) -> RemovedUsers:
    return remove_users(
        caller=world.caller(), subscription_id=subscription.pk, users=[(f"usr_{pk}", pk) for pk in users],
        dry_run=False, idempotency_key=key, language="en", now=at,
    )  # fmt: skip


def settle(*said: tuple[int, Carried], at: datetime = NOW) -> Settled:
    """Of users, of the one subscription there is that a host knows."""
    subscription = Subscription.objects.exclude(external_id="").get()
    settlements = [
        Settlement(DirectoryUser.objects.get(pk=user).external_id, subscription.external_id, "c-1", carried)
        for user, carried in said
    ]
    return settle_removals(caller=SYSTEM, settlements=settlements, language="en", now=at)


def reason_of(subscription: Subscription, at: datetime = NOW) -> Reason:
    return SubscriptionBatch.get(SYSTEM, subscription.pk, at).decisions[subscription.pk].reason


def work(at: datetime) -> None:
    work_off(lambda: at)


def pending(subscription: Subscription) -> tuple[int, int]:
    tally = LicenseTally.objects.get(pk=subscription.pk)
    return tally.assigned, tally.pending


def test_what_a_host_is_asked_and_told(partner: Partner) -> None:
    world = partner.world
    Tenant.objects.update(removals=Removals.HOST, external_id="c-1")
    subscription = bought(world, 3)
    first, second, third = users_of(subscription)
    DirectoryUser.objects.filter(pk=third).update(external_id="")
    request = remove(world, subscription, [first, second, third]).request_id
    settle((first, CONFIRMED), (second, REFUSED))
    asked, decided = Event.objects.order_by("pk")
    product = {"id": f"sub_{subscription.pk}", "externalId": subscription.external_id}
    users = {
        first: {"id": f"usr_{first}", "externalId": f"u-{first}"},
        second: {"id": f"usr_{second}", "externalId": f"u-{second}"},
        third: {"id": f"usr_{third}", "externalId": None},
    }
    about = {"id": f"rem_{request}"}
    assert (asked.type, asked.version) == ("license.removal_requested", 1)
    assert asked.data == {
        "tenant": {"id": f"ten_{world.tenant.pk}", "externalId": "c-1"},
        "subscription": product,
        "removalRequest": about,
        "removals": [{"user": users[pk], "status": "REQUESTED"} for pk in (first, second, third)],
    }
    assert (decided.type, decided.version) == ("license.removal_settled", 2)
    assert decided.data["subscription"] == product
    assert decided.data["removals"] == [
        {"user": users[first], "status": "CONFIRMED", "reason": None, "removalRequest": about},
        {"user": users[second], "status": "REFUSED", "reason": "DEPENDENT_PRODUCT", "removalRequest": about},
    ]
    assert not any(name in str(event.data) for event in (asked, decided) for name in ("Ada", "@"))


def test_hundreds_are_told_in_pieces(partner: Partner) -> None:
    Tenant.objects.update(removals=Removals.HOST)
    subscription = bought(partner.world, 501)
    remove(partner.world, subscription, users_of(subscription))
    assert [len(event.data["removals"]) for event in Event.objects.order_by("pk")] == [500, 1]


def test_confirmed_it_counts_no_more_and_refused_it_counts_on(hosted: World) -> None:
    subscription = bought(hosted, 26)
    first, second, *_ = users_of(subscription)
    remove(hosted, subscription, [first, second])
    assert (pending(subscription), reason_of(subscription)) == ((26, 2), Reason.REMOVALS_PENDING)
    assert settle((first, CONFIRMED), at=later(hours=1)) == Settled(1)
    assert (pending(subscription), reason_of(subscription)) == ((25, 1), Reason.REMOVALS_PENDING)
    assert settle((second, REFUSED), at=later(hours=2)) == Settled(1)
    assert (pending(subscription), reason_of(subscription)) == ((25, 0), Reason.LICENSES_AT_OR_OVER_LIMIT)
    gone = License.objects.get(user=first)
    assert (gone.is_direct, gone.removed_at, gone.removal_requested_at) == (False, later(hours=1), None)
    assert License.objects.get(user=second).is_direct
    refused = Removal.objects.get(license__user=second)
    assert (refused.status, refused.reason, refused.text) == ("REFUSED", "DEPENDENT_PRODUCT", "Ada has Project")
    events = AuditEvent.objects.order_by("position").values_list("action", "data")
    licenses = {user: License.objects.get(user=user).pk for user in (first, second)}
    request = RemovalRequest.objects.get()
    assert list(events) == [
        ("removals.requested", {"request": request.pk, "licenses": [licenses[first], licenses[second]]}),
        ("removals.decided", {"confirmed": [licenses[first]], "refused": {}}),
        ("removals.decided", {"confirmed": [], "refused": {"DEPENDENT_PRODUCT": [licenses[second]]}}),
    ]


def test_repeated_it_is_harmless_and_the_contrary_a_conflict(hosted: World) -> None:
    subscription = bought(hosted, 3)
    first, second, third = users_of(subscription)
    remove(hosted, subscription, [first, second])
    assert settle((first, CONFIRMED), (second, REFUSED)) == Settled(2)
    before = list(Removal.objects.order_by("pk").values()), list(License.objects.order_by("pk").values())
    other = Carried.refused(RefusalReason.OTHER)
    said = settle((first, CONFIRMED), (first, other), (second, other), (second, CONFIRMED), (third, CONFIRMED))
    assert said == Settled(2, [f"u-{first}", f"u-{second}"], [f"u-{third}"])
    assert (list(Removal.objects.order_by("pk").values()), list(License.objects.order_by("pk").values())) == before
    assert AuditEvent.objects.filter(action="removals.decided").count() == 1


def test_the_first_of_two_words_in_one_call_counts(hosted: World) -> None:
    subscription = bought(hosted, 1)
    [user] = users_of(subscription)
    remove(hosted, subscription, [user])
    assert settle((user, REFUSED), (user, CONFIRMED), (user, REFUSED)) == Settled(2, [f"u-{user}"])
    assert Removal.objects.get().status == RemovalStatus.REFUSED


def test_who_asks_again_joins_and_what_was_refused_is_asked_anew(hosted: World) -> None:
    subscription = bought(hosted, 3)
    first, second, third = users_of(subscription)
    one = remove(hosted, subscription, [first, second])
    joined = remove(hosted, subscription, [second, first], at=later(hours=1))
    assert [removal.outcome for removal in joined.removals] == [RemovalOutcome.REQUESTED] * 2
    assert (joined.request_id, RemovalRequest.objects.count(), Removal.objects.count()) == (one.request_id, 1, 2)
    more = remove(hosted, subscription, [second, third], at=later(hours=2))
    assert more.request_id != one.request_id
    assert list(Removal.objects.filter(request=more.request_id).values_list("license__user", flat=True)) == [third]
    settle((first, REFUSED))
    anew = remove(hosted, subscription, [first], at=later(hours=3))
    assert Removal.objects.get(request=anew.request_id).status == RemovalStatus.REQUESTED
    # The word of before is of before.
    assert settle((first, CONFIRMED)) == Settled(1)
    assert list(Removal.objects.filter(license__user=first).order_by("pk").values_list("status", flat=True)) == [
        "REFUSED", "CONFIRMED",
    ]  # fmt: skip


def test_one_license_has_one_open_removal(hosted: World) -> None:
    subscription = bought(hosted, 1)
    remove(hosted, subscription, users_of(subscription))
    removal = Removal.objects.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        Removal.objects.create(request=removal.request, license=removal.license, requested_at=NOW)


def test_groups_keep_what_they_hand_out(hosted: World) -> None:
    subscription = bought(hosted, 25, by_group=1)
    [inherited] = License.objects.filter(subscription=subscription, is_inherited=True)
    [both] = License.objects.filter(subscription=subscription, is_direct=True)[:1]
    both.is_inherited = True
    both.save()
    both.groups.set(inherited.groups.all())
    answer = remove(hosted, subscription, [inherited.user_id, both.user_id])
    assert [(one.outcome, one.group_names) for one in answer.removals] == [
        (RemovalOutcome.GROUP_INHERITED, ("Sales",)), (RemovalOutcome.REQUESTED, ("Sales",)),
    ]  # fmt: skip
    # It is on its way, and will change no count.
    assert pending(subscription) == (26, 0)
    assert settle((both.user_id, CONFIRMED)) == Settled(1)
    both.refresh_from_db()
    assert (both.is_direct, both.is_inherited, pending(subscription)) == (False, True, (26, 0))


def test_a_key_is_answered_as_before_also_one_of_an_older_version(hosted: World) -> None:
    subscription = bought(hosted, 2)
    first, _ = users_of(subscription)
    one = remove(hosted, subscription, [first], key="k")
    settle((first, REFUSED))
    again = remove(hosted, subscription, [first], key="k")
    assert (again.removals, again.request_id) == (one.removals, one.request_id)
    assert Removal.objects.count() == 1
    record = IdempotencyRecord.objects.get()
    record.answer = record.answer["users"]
    record.save()
    old = remove(hosted, subscription, [first], key="k")
    assert (old.removals, old.request_id) == (one.removals, None)


def test_nobody_has_to_carry_out_what_is_local(world: World) -> None:
    subscription = bought(world, 25)
    answer = remove(world, subscription, users_of(subscription)[:1])
    assert [one.outcome for one in answer.removals] == [RemovalOutcome.REMOVED]
    assert (answer.request_id, Removal.objects.count(), reason_of(subscription)) == (None, 0, Reason.UNDER_LIMIT)


def test_what_was_asked_of_a_host_that_is_no_more_is_removed_at_once(hosted: World) -> None:
    subscription = bought(hosted, 2)
    first, _ = users_of(subscription)
    remove(hosted, subscription, [first])
    Tenant.objects.update(removals=Removals.LOCAL)
    answer = remove(hosted, subscription, [first], at=later(hours=1))
    assert [one.outcome for one in answer.removals] == [RemovalOutcome.REMOVED]
    removal = Removal.objects.get()
    assert (removal.status, removal.decided_at, pending(subscription)) == ("CONFIRMED", later(hours=1), (1, 0))


def test_what_a_list_shows_no_more_is_confirmed(hosted: World) -> None:
    subscription = bought(hosted, 4)
    taken, deleted, stays, _ = users_of(subscription)
    remove(hosted, subscription, [taken, deleted, stays])
    License.objects.filter(user=taken).update(is_direct=False, removed_at=later(hours=1))
    DirectoryUser.objects.filter(pk=deleted).update(deleted_at=later(hours=1))
    assert pending(subscription) == (2, 1)
    assert confirm_gone(later(hours=2)) == 1
    assert confirm_gone(later(hours=2)) == 0
    found = dict(Removal.objects.values_list("license__user", "status"))
    assert found == {taken: "CONFIRMED", deleted: "CONFIRMED", stays: "REQUESTED"}
    assert settle((taken, REFUSED)).conflicts == [f"u-{taken}"]


# Before and after canceling.


def test_a_refusal_changes_what_was_quoted_by_a_policy_that_trusts(hosted: World) -> None:
    CancellationPolicy.objects.update(count_requested_removals=True)
    subscription = bought(hosted, 25)
    [user, *_] = users_of(subscription)
    remove(hosted, subscription, [user])
    quoted = quote_of(hosted, subscription, Mode.IMMEDIATE, NOW)
    settle((user, REFUSED))
    with pytest.raises(QuoteChanged):
        cancel_subscription(
            caller=hosted.caller(), subscription_id=subscription.pk, quote_id=quoted, idempotency_key="k",
            language="en", now=NOW,
        )  # fmt: skip
    assert not Cancellation.objects.exists()


def test_after_canceling_it_stands_and_removals_go_on(hosted: World) -> None:
    CancellationPolicy.objects.update(count_requested_removals=True)
    subscription = bought(hosted, 26)
    first, second, *_ = users_of(subscription)
    remove(hosted, subscription, [first, second])
    cancellation = cancel(hosted, subscription)
    assert cancellation.facts["pending_removals"] == 2
    assert cancellation.facts["policy"]["count_requested_removals"] is True
    assert settle((first, CONFIRMED), (second, REFUSED)) == Settled(2)
    cancellation.refresh_from_db()
    assert (cancellation.undone_at, cancellation.facts["pending_removals"]) == (None, 2)
    undo_cancellation(caller=hosted.caller(), cancellation_id=cancellation.pk, language="en", now=later(hours=1))
    # An undo restores no licenses.
    assert pending(subscription) == (25, 0)
    assert not License.objects.get(user=first).is_direct


# By a connection.


def test_a_connection_carries_them_out(connected: World, carrier: FakeCarrier) -> None:
    subscription = bought(connected, 3)
    known_there(carrier, subscription)
    first, second, _ = users_of(subscription)
    carrier.groups = {DirectoryUser.objects.get(pk=second).principal_name}
    remove(connected, subscription, [first, second])
    assert carrier.calls == []
    work(NOW)
    removals = Removal.objects.order_by("pk")
    assert [call for call, _ in carrier.calls] == ["carry"]
    assert list(removals.values_list("status", "reason")) == [
        ("CONFIRMED", ""), ("REFUSED", "INHERITED_FROM_GROUP"),
    ]  # fmt: skip
    assert "Sales" in removals[1].text
    assert pending(subscription) == (2, 0)
    assert Task.objects.get(kind="removals.carry").status == "DONE"


def test_what_it_accepts_is_looked_for_again(connected: World, carrier: FakeCarrier) -> None:
    carrier.slow = True
    subscription = bought(connected, 2)
    known_there(carrier, subscription)
    remove(connected, subscription, users_of(subscription)[:1])
    for minutes in (0, 1, 10, 11, 20):
        work(later(minutes=minutes))
    assert [call for call, _ in carrier.calls] == ["carry", "look", "look"]
    assert Removal.objects.get().status == RemovalStatus.CONFIRMED


def test_thousands_go_in_pieces_each_once(connected: World, carrier: FakeCarrier) -> None:
    subscription = bought(connected, 250)
    known_there(carrier, subscription)
    remove(connected, subscription, users_of(subscription))
    work(NOW)
    assert [(call, len(ids)) for call, ids in carrier.calls] == [("carry", 100), ("carry", 100), ("carry", 50)]
    assert len({pk for _, ids in carrier.calls for pk in ids}) == 250
    assert pending(subscription) == (0, 0)


@pytest.mark.parametrize("trouble", ["timeout before", "timeout after", "5xx", "throttled"])
def test_after_an_outage_it_looks_before_it_asks_again(connected: World, carrier: FakeCarrier, trouble: str) -> None:
    subscription = bought(connected, 2)
    known_there(carrier, subscription)
    remove(connected, subscription, users_of(subscription)[:1])
    carrier.trouble = trouble
    work(NOW)
    task = Task.objects.get(kind="removals.carry")
    assert (task.status, task.failures, task.outages) == ("WAITING", 0, 1)
    assert task.run_at >= NOW + timedelta(minutes=7 if trouble == "throttled" else 0)
    work(task.run_at)
    expected = ["carry", "look"] if trouble == "timeout after" else ["carry", "look", "carry"]
    assert [call for call, _ in carrier.calls] == expected
    assert Removal.objects.get().status == RemovalStatus.CONFIRMED


class Killed(BaseException):
    """As a kill: nothing of ours runs after it."""


def test_a_worker_that_dies_with_the_answer_asks_nothing_twice(connected: World, carrier: FakeCarrier) -> None:
    subscription = bought(connected, 3)
    known_there(carrier, subscription)
    request = remove(connected, subscription, users_of(subscription)[:2]).request_id
    assert request

    def die() -> None:
        raise Killed

    carrier.before_answer = die
    with pytest.raises(Killed):
        carry_removals({"request": request}, NOW)
    carrier.before_answer = lambda: None
    assert carry_removals({"request": request}, later(minutes=1)) is None
    assert [call for call, _ in carrier.calls] == ["carry", "look"]
    assert pending(subscription) == (1, 0)


def test_what_is_settled_while_it_is_asked_stays(connected: World, carrier: FakeCarrier) -> None:
    subscription = bought(connected, 1)
    Tenant.objects.update(external_id="c-1")
    [user] = users_of(subscription)
    known_there(carrier, subscription)
    remove(connected, subscription, [user])
    carrier.before_answer = lambda: settle((user, REFUSED)) and None
    work(NOW)
    assert Removal.objects.get().status == RemovalStatus.REFUSED
    assert License.objects.get().is_direct


def test_without_a_connection_it_waits_and_goes_on_once_there_is_one(connected: World) -> None:
    subscription = bought(connected, 1)
    remove(connected, subscription, users_of(subscription))
    for hours in range(0, 100, 4):
        work(later(hours=hours))
    task = Task.objects.get(kind="removals.carry")
    assert (task.status, task.failures) == ("WAITING", 0)
    assert "no connection" in task.last_failure
    carrier = FakeCarrier({connected.tenant.pk})
    known_there(carrier, subscription)
    with registered("fake", carrier):
        work(later(hours=104))
    assert Removal.objects.get().status == RemovalStatus.CONFIRMED


def test_a_task_that_was_lost_is_asked_for_again(connected: World, carrier: FakeCarrier) -> None:
    subscription = bought(connected, 2)
    known_there(carrier, subscription)
    first, second = users_of(subscription)
    remove(connected, subscription, [first])
    Task.objects.all().delete()
    # And one that was asked of a host, before there was a connection.
    Tenant.objects.update(removals=Removals.HOST)
    remove(connected, subscription, [second])
    assert not Task.objects.exists()
    Tenant.objects.update(removals=Removals.CONNECTION)
    carry_stranded(NOW)
    for task in Task.objects.filter(kind="removals.carry"):
        carry_removals(task.payload, NOW)
    assert pending(subscription) == (0, 0)
    assert carry_stranded(NOW) == 0


def test_what_was_given_up_is_left_to_staff(connected: World, carrier: FakeCarrier) -> None:
    subscription = bought(connected, 1)
    remove(connected, subscription, users_of(subscription))
    Task.objects.update(status="GIVEN_UP")
    carry_stranded(NOW)
    assert Task.objects.get(kind="removals.carry").status == "GIVEN_UP"
