"""No path that people wait for reads a growing table from end to end: the plans of PostgreSQL, with 20,000 users."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from bench.dataset import at_noon
from bench.growth import Scenario, fill

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="plans are PostgreSQL's"),
]
GROWING = (
    "tenants_tenant|tenants_auditevent|tenants_auditpersonaldata|billing_agreement|billing_charge|billing_refund|billing_refundpart"
    "|subscriptions_subscription|subscriptions_license|subscriptions_directoryuser|desk_callbackrequest"
    "|desk_callbackattempt|subscriptions_cancellation|subscriptions_licensetally|outbox_task|webhooks_\\w+"
)


@pytest.fixture
def works(settings: Any) -> Scenario:
    settings.WAYOUT_STAFF_SECOND_FACTOR = False
    fill(20_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return Scenario(20_000)


def test_no_plan_scans_a_growing_table(works: Scenario) -> None:
    with at_noon():
        found = {name: scans(act) for name, act in works.plan().items()}
    assert {name: plans for name, plans in found.items() if plans} == {}


def scans(act: Callable[[], None]) -> list[str]:
    """The statements of an act in whose plans a growing table is read from end to end."""
    read: list[tuple[str, Any]] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("SELECT", "UPDATE", "DELETE")):
            read.append((sql, params))
        return execute(sql, params, many, context)

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = on")
    with connection.execute_wrapper(note):
        act()
    assert read
    return [plan for sql, params in read if re.search(rf"Seq Scan on ({GROWING})\b", plan := explained(sql, params))]


def explained(sql: str, params: Any) -> str:
    """The plan where reading a table from end to end is the last resort: tables that are small here are not elsewhere."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {sql}", params)
        return f"{sql[:200]}\n" + "\n".join(row[0] for row in cursor.fetchall())
