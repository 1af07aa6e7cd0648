"""License tallies are what counting would say, whatever is written to licenses and users, and however."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from subscriptions.models import DirectoryUser, License, LicenseTally, Subscription
from tests.builders import NOW
from tests.reconciling import findings
from tests.world import World


def kept(subscription: Subscription) -> tuple[int, int, int, int]:
    tally = LicenseTally.objects.filter(pk=subscription.pk).first()
    return (tally.assigned, tally.removable, tally.by_group, tally.pending) if tally else (0, 0, 0, 0)


def counted(subscription: Subscription) -> tuple[int, int, int, int]:
    held = License.objects.held().filter(subscription=subscription)
    removable = held.filter(is_inherited=False)
    pending = removable.filter(removal_requested_at__isnull=False)
    return held.count(), removable.count(), held.filter(is_inherited=True).count(), pending.count()


STEP = st.one_of(
    st.tuples(st.just("assign"), st.integers(0, 4), st.booleans(), st.booleans()),
    st.tuples(st.just("change"), st.integers(0, 4), st.booleans(), st.booleans()),
    st.tuples(st.just("change all"), st.booleans(), st.booleans()),
    st.tuples(st.just("delete user"), st.integers(0, 4)),
    st.tuples(st.just("bring back"), st.integers(0, 4)),
    st.tuples(st.just("delete all users")),
    st.tuples(st.just("drop"), st.integers(0, 4)),
    st.tuples(st.just("request removal"), st.integers(0, 4), st.sampled_from([NOW, None])),
)


class TestEverySequence(TestCase):
    @settings(max_examples=60)
    @given(st.lists(STEP, max_size=14))
    def test_of_writes(self, steps: list[tuple[Any, ...]]) -> None:
        world = World.build()
        one, other = world.subscription(0), world.subscription(3, by_group=1)
        users = world.users(5)
        of_users = DirectoryUser.objects.filter(pk__in=[user.pk for user in users])
        for what, *given_ in steps:
            licenses = License.objects.filter(subscription=one)
            match what, given_:
                case "assign", [n, direct, inherited] if not licenses.filter(user=users[n]).exists():
                    License.objects.bulk_create(
                        [License(subscription=one, user=users[n], is_direct=direct, is_inherited=inherited)]
                    )
                case "change", [n, direct, inherited]:
                    licenses.filter(user=users[n]).update(is_direct=direct, is_inherited=inherited)
                case "change all", [direct, inherited]:
                    licenses.update(is_direct=direct, is_inherited=inherited)
                case "delete user", [n]:
                    of_users.filter(pk=users[n].pk).update(deleted_at=NOW)
                case "bring back", [n]:
                    of_users.filter(pk=users[n].pk).update(deleted_at=None)
                case "delete all users", _:
                    of_users.update(deleted_at=NOW)
                case "drop", [n]:
                    licenses.filter(user=users[n]).delete()
                case "request removal", [n, at]:
                    licenses.filter(user=users[n]).update(removal_requested_at=at)
            assert kept(one) == counted(one)
        assert kept(other) == (4, 3, 1, 0)


@pytest.mark.django_db
def test_what_is_rolled_back_does_not_count(world: World) -> None:
    subscription = world.subscription(2)
    with transaction.atomic():
        world.assign(subscription, 3)
        transaction.set_rollback(True)
    assert kept(subscription) == (2, 2, 0, 0)


@pytest.mark.django_db
def test_the_triggers_are_back_after_every_migrate(world: World) -> None:
    with connection.cursor() as cursor:
        for name, table in (
            ("inserted", "license"),
            ("updated", "license"),
            ("deleted", "license"),
            ("users", "directoryuser"),
        ):
            on = f" ON subscriptions_{table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER wayout_tally_{name}{on}")
    subscription = world.subscription(2)
    assert kept(subscription) == (0, 0, 0, 0)
    assert [line for line in findings(NOW, ask_provider=False) if "licenses are kept" in line] == [
        f"subscription {subscription.pk}: 0 licenses are kept as assigned, 2 are held"
    ]
    call_command("migrate", verbosity=0)
    assert kept(world.subscription(2)) == (2, 2, 0, 0)


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL replaces functions")
def test_triggers_of_an_earlier_version_are_replaced(world: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER wayout_tally_updated")
        cursor.execute("CREATE TRIGGER wayout_tally_updated AFTER UPDATE ON subscriptions_license BEGIN SELECT 1; END")
    call_command("migrate", verbosity=0)
    subscription = world.subscription(2)
    License.objects.filter(subscription=subscription).update(removal_requested_at=NOW)
    assert kept(subscription) == (2, 2, 0, 2)


@pytest.mark.django_db
def test_the_indexes_are_back_after_every_migrate() -> None:
    names = ["user_by_activity", *(["user_by_search"] if connection.vendor == "postgresql" else [])]
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"DROP INDEX {name}")
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        assert set(names) <= set(connection.introspection.get_constraints(cursor, "subscriptions_directoryuser"))


@pytest.mark.django_db
def test_many_rows_after_few_are_planned_as_many(world: World) -> None:
    """A plan for the three rows of before would join 4,000 by 4,000: 16 million steps instead of 4,000."""
    for _ in range(8):
        world.assign(world.subscription(0), 3)
    subscription = world.subscription(0)
    world.assign(subscription, 4_000)
    License.objects.filter(subscription=subscription).update(is_direct=False)
    assert kept(subscription) == (0, 0, 0, 0)
