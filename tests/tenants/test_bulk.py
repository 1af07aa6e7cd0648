"""Rows that are inserted all at once are what they would be one by one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from common.bulk import insert
from subscriptions.models import DirectoryUser
from tests.world import World

pytestmark = pytest.mark.django_db
NAMES = ("tenant_id", "principal_name", "principal_key", "display_name", "is_blocked", "deleted_at", "search_key")


def test_ids_come_in_order_and_values_as_they_were(world: World) -> None:
    gone = datetime(2026, 11, 25, 10, 0, 0, 123456, tzinfo=UTC)
    texts = ["", "\\N", "a\tb\nc\\", "Ърха 😀", "'; --", '"']
    rows = [
        (world.tenant.pk, f"{number}@x", f"{number}@x", text, number % 2 == 0, gone if number else None, "k")
        for number, text in enumerate(texts)
    ]
    ids = insert(DirectoryUser, NAMES, rows)
    found = [tuple(getattr(DirectoryUser.objects.get(pk=pk), name) for name in NAMES[:-1]) for pk in ids]
    assert found == [row[:-1] for row in rows]
    assert insert(DirectoryUser, NAMES, []) == []
    # One that is saved afterwards takes the next id.
    assert DirectoryUser.objects.create(tenant=world.tenant, principal_name="n", principal_key="n").pk > max(ids)
