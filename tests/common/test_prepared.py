"""Every prepared query answers what its plain queryset answers, whatever rows there are."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from common.prepared import PREPARED, PreparedQuery, UnreplacedPlaceholder, Value
from subscriptions.models import Cancellation, CancellationPolicy, License, Subscription
from subscriptions.policy.facts import Mode, Status
from tenants.callers import Role, Scope
from tenants.models import Membership, PartnerToken, Tenant, User
from tests.builders import NOW, PERIOD
from tests.world import ACTING_SCOPES, World

TIMES = (PERIOD.start, NOW, NOW + timedelta(microseconds=1), PERIOD.end)
ENDED = {"canceled_mode": Mode.AT_PERIOD_END.value, "ends_at": PERIOD.end}
number = st.integers(0, 3)
ROWS = st.fixed_dictionaries({
    "tenants": st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=3),
    "subscriptions": st.lists(
        st.tuples(number, st.booleans(), st.sampled_from(Status), st.booleans(), st.booleans(), st.booleans()), max_size=4
    ),
    "licenses": st.sets(st.tuples(number, number), max_size=8),
    "ways": st.lists(st.tuples(st.booleans(), st.booleans()), min_size=8, max_size=8),
    "charges": st.lists(st.tuples(number, number, st.integers(0, 2**40)), max_size=5),
    "cancellations": st.lists(st.tuples(number, number), max_size=5),
    "tokens": st.lists(st.tuples(st.sets(number), st.sets(st.sampled_from(ACTING_SCOPES))), max_size=2),
    "people": st.lists(st.tuples(number, st.sampled_from(Role), st.booleans()), max_size=3),
})  # fmt: skip
Asked = tuple[list[int], Value, int | None]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Ids to ask for, some of rows that are there, and how much of them."""

    pick: Callable[[Any], list[int]]
    at: datetime
    limit: int


# What each is asked for. A query that is not here fails the test.
ASKED: dict[str, Callable[[Drawn], Iterator[Asked]]] = {
    "charges not over": lambda drawn: _each([(drawn.pick(Subscription), drawn.at, None)]),
    "token by key id": lambda _: _each(
        ([], key, None) for key in [*PartnerToken.objects.values_list("key_id", flat=True), "", "%", "nobody's"]
    ),
    "memberships": lambda drawn: _each([(drawn.pick(User), None, None)]),
    "subscriptions by id": lambda drawn: _each([(drawn.pick(Subscription), None, None)]),
    "newest subscriptions": lambda drawn: _each(
        (drawn.pick(Tenant), before, drawn.limit) for before in [*drawn.pick(Subscription)[:2], 2**63 - 1]
    ),
    "holders still covered": lambda drawn: _each([(drawn.pick(Subscription), drawn.at, None)]),
    "latest cancellations": lambda drawn: _each([(drawn.pick(Subscription), None, None)]),
    "policies in force": lambda drawn: _each([(drawn.pick(Tenant), None, None)]),
}


def _each(asked: Any) -> Iterator[Asked]:
    yield from asked


class TestEveryPreparedQuery(TestCase):
    @settings(max_examples=40)
    @given(ROWS, st.lists(number, min_size=1, max_size=7), st.sampled_from(TIMES), st.integers(1, 3))
    def test_answers_what_its_queryset_answers(
        self, rows: dict[str, Any], picks: list[int], at: datetime, limit: int
    ) -> None:
        _write(rows)

        def pick(model: Any) -> list[int]:
            there = [*model.objects.order_by("pk").values_list("pk", flat=True), -1, 2**40]
            return [there[n % len(there)] for n in picks]

        for name, query in PREPARED.items():
            for ids, value, count in ASKED[name](Drawn(pick, at, limit)):
                found = query.rows(ids, value, count) if ids else query.find(value)
                plain = query.build(ids, value, *([count] if count else []))
                assert _exact(found, plain.ordered) == _exact(plain, plain.ordered), name


def _exact(rows: Any, ordered: bool) -> list[Any]:
    """Values with their types, instants as themselves in UTC."""
    said = [[v.isoformat() if isinstance(v, datetime) else (type(v), v) for v in row] for row in rows]
    return said if ordered else sorted(said, key=repr)


def _write(rows: dict[str, Any]) -> None:
    worlds = []
    for has_method, is_known, has_policy in rows["tenants"]:
        worlds.append(world := World.build())
        world.tenant.billing_account.payment_methods.update(is_active=has_method)
        type(world.tenant.billing_account).objects.update(payment_methods_known=is_known)
        if has_policy:
            for version in (1, 2):
                CancellationPolicy.objects.create(
                    tenant=world.tenant, name="Ours", version=version, created_at=NOW, in_force=version == 2
                )
    subscriptions = [
        worlds[tenant % len(worlds)].subscription(
            0,
            charged=None,
            plan="A" if same else None,
            base_status=status.value,
            renews=renews,
            is_trial=is_trial,
            **(ENDED if ends else {}),
        )
        for tenant, same, status, ends, renews, is_trial in rows["subscriptions"]
    ]
    if subscriptions:
        _write_of_subscriptions(rows, worlds, subscriptions)
    for tenants, scopes in rows["tokens"]:
        worlds[0].token(*scopes, tenants=[worlds[n % len(worlds)].tenant for n in sorted(tenants)] or None)
    for tenant, role, is_active in rows["people"]:
        person = worlds[tenant % len(worlds)].person(role)
        Membership.objects.filter(user=person).update(is_active=is_active)


def _write_of_subscriptions(rows: dict[str, Any], worlds: list[World], subscriptions: list[Subscription]) -> None:
    users = worlds[0].users(4)
    pairs = {(n % len(subscriptions), user) for n, user in rows["licenses"]}
    License.objects.bulk_create(
        License(subscription=subscriptions[n], user=users[user], is_direct=direct, is_inherited=inherited)
        for (n, user), (direct, inherited) in zip(sorted(pairs), rows["ways"], strict=False)
    )
    for n, end, amount in rows["charges"]:
        start = PERIOD.start - timedelta(days=1)
        worlds[0].charge(
            subscriptions[n % len(subscriptions)], charged=amount, period_start=start, period_end=TIMES[end]
        )
    worlds[0].token(Scope.READ)
    token = PartnerToken.objects.latest("pk")
    for n, who in rows["cancellations"]:
        subscription = subscriptions[n % len(subscriptions)]
        Cancellation.objects.filter(subscription=subscription).update(undone_at=NOW)
        Cancellation.objects.create(
            reference=f"C-{Cancellation.objects.count()}", tenant=subscription.tenant, subscription=subscription,
            mode=Mode.IMMEDIATE.value, requested_at=NOW, effective_at=NOW, undo_until=NOW, access_ends_at=NOW,
            data_available_until=NOW, data_erased_by=NOW, priced_at=NOW, policy=CancellationPolicy.objects.first(),
            quote={"é": [1, None]}, facts={}, licenses_30_days_before=1, language="en",
            requested_by_user=worlds[0].admin if who & 1 else None, requested_by_token=token if who & 2 else None,
        )  # fmt: skip


def test_every_prepared_query_is_asked_above() -> None:
    for config in apps.get_app_configs():
        if Path(config.path).is_relative_to(django_settings.BASE_DIR) and ".venv" not in config.path:
            for module in pkgutil.walk_packages([config.path], f"{config.name}."):
                import_module(module.name)
    assert set(ASKED) == set(PREPARED)


@pytest.fixture
def prepare(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], PreparedQuery]:
    """Prepares queries that are forgotten after the test."""
    monkeypatch.setattr("common.prepared.PREPARED", {})
    return lambda build: PreparedQuery("ours", build)


@pytest.mark.django_db
@pytest.mark.parametrize("build", [
    lambda ids, at: Tenant.objects.filter(created_at__gt=at),  # no ids
    lambda ids, at: Tenant.objects.filter(pk__in=ids),  # no value
    lambda ids, at: Tenant.objects.filter(pk__in=ids[:1], created_at__gt=at),
    lambda ids, at: Tenant.objects.filter(pk__in=ids).filter(created_at__gt=at - timedelta(days=1)),
    lambda ids, at: Tenant.objects.filter(pk__in=ids).filter(created_at__gt=at, created_at__lt=at + timedelta(days=1)),
    lambda ids, at: Tenant.objects.filter(pk__in=[*ids, ids[0] + 1], created_at__gt=at),
    lambda ids, at: Tenant.objects.filter(pk__in=[*ids, -ids[0]], created_at__gt=at),
    lambda ids, at: Tenant.objects.filter(pk__in=ids, created_at__gt=at, name=f"Nr {ids[0]}"),
    lambda ids, at: Tenant.objects.filter(pk__in=ids, created_at__gt=at).extra(where=[f"id > {ids[0]}"]),
])  # fmt: skip
def test_what_is_not_replaced_is_refused(build: Any, prepare: Callable[[Any], PreparedQuery]) -> None:
    query = prepare(lambda ids, at: build(ids, at).values_list("pk"))
    with pytest.raises(UnreplacedPlaceholder, match="ours"):
        query.rows([1, 2], NOW)


@pytest.mark.django_db
def test_text_that_contains_the_value_is_refused(prepare: Callable[[Any], PreparedQuery]) -> None:
    query = prepare(lambda _, name: Tenant.objects.filter(name=name, domain__contains=name).values_list("pk"))
    with pytest.raises(UnreplacedPlaceholder):
        query.find("a")


@pytest.mark.django_db
def test_more_ids_than_one_query_takes(world: World, prepare: Callable[[Any], PreparedQuery]) -> None:
    there = [world.tenant.pk, *(World.build().tenant.pk for _ in range(2))]
    query = prepare(lambda ids, _: Tenant.objects.filter(pk__in=ids).order_by("pk").values_list("pk"))
    asked = [there[0], *range(-150, 0), *there[1:]]
    assert query.rows(asked) == [(pk,) for pk in there]
    assert query.rows([]) == []


def test_a_name_is_of_one_query(prepare: Callable[[Any], PreparedQuery]) -> None:
    prepare(None)
    with pytest.raises(ValueError, match="ours"):
        prepare(None)
