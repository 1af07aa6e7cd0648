"""What a small document costs: the same statements, served by indexes, however large the tenant is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from subscriptions.models import DirectoryUser, License, Subscription
from tests.builders import NOW
from tests.sync.documents import send
from tests.sync.test_documents import S1
from tests.world import World

pytestmark = pytest.mark.django_db
SUBSCRIPTIONS = [S1, {**S1, "id": "s2", "product": "Drawing"}]


def tenant_of(size: int) -> World:
    """A customer with so many users who hold two licenses each."""
    world = World.build()
    users = [{"id": f"u{n}", "principalName": f"user{n}@x.example"} for n in range(3)]
    licenses = [{"subscription": s, "user": user["id"]} for s in ("s1", "s2") for user in users]
    send(world.tenant, {"subscriptions": SUBSCRIPTIONS, "users": users, "licenses": licenses})
    [source] = world.tenant.fact_sources.all()
    said = {"source": source, "known_at": NOW}
    names = [(f"u{n}", f"user{n}@x.example") for n in range(3, size)]
    made = DirectoryUser.objects.bulk_create(
        DirectoryUser(tenant=world.tenant, external_id=key, principal_name=name, principal_key=name, **said)
        for key, name in names
    )
    License.objects.bulk_create(
        License(subscription=subscription, user=user, is_direct=True, **said)
        for subscription in Subscription.objects.filter(tenant=world.tenant)
        for user in made
    )
    return world


def small(number: int) -> dict[str, Any]:
    """One user has another name, and one license more is confirmed, from the middle of the tenant."""
    return {
        "users": [{"id": "u2", "principalName": "user2@x.example", "displayName": f"Ada {number}"}],
        "licenses": [{"subscription": "s2", "user": "u2"}],
    }


def statements(world: World, number: int) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        report = send(world.tenant, small(number), now=NOW + timedelta(hours=number))
    assert (report.changed, report.unchanged, report.left_out) == (1, 1, 0)
    return [query["sql"] for query in queries.captured_queries]


def test_one_changed_user_costs_the_same_in_a_tenant_of_any_size() -> None:
    assert {size: len(statements(tenant_of(size), 1)) for size in (300, 3_000)} == {300: 25, 3_000: 25}


def scanned(plan: dict[str, Any]) -> Iterator[str]:
    """The tables that a plan reads from one end to the other."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for part in plan.get("Plans", ()):
        yield from scanned(part)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="plans are PostgreSQL's")
def test_people_and_licenses_are_found_by_indexes() -> None:
    world = tenant_of(20_000)
    found: list[tuple[str, list[str]]] = []

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("SELECT", "UPDATE")) and ("subscriptions_license" in sql or "directoryuser" in sql):
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
                found.append((sql, list(scanned(cursor.fetchone()[0][0]["Plan"]))))
        return execute(sql, params, many, context)

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with connection.execute_wrapper(explain):
        send(world.tenant, small(1), now=NOW + timedelta(hours=1))
    assert len(found) >= 6
    people = {"subscriptions_license", "subscriptions_directoryuser"}
    assert [(sql, tables) for sql, tables in found if people & set(tables)] == []
