"""The audit trail: append-only on both databases, chained, verifiable."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from tenants import audit
from tenants.actions import Action
from tenants.models import AuditEvent, AuditHead, AuditPersonalData, InstallationAuditHead
from tenants.people import SYSTEM
from tenants.protection import protect, unprotect
from tenants.verification import verify
from tests.builders import NOW
from tests.world import World

pytestmark = pytest.mark.django_db


ADA = {"name": "Ада"}


def write(world: World | None, count: int = 5, personal: dict[str, str] | None = ADA) -> list[AuditEvent]:
    return [
        audit.record(
            tenant_id=world.tenant.pk if world else None,
            at=NOW,
            action=Action.DIRECTORY_IMPORTED,
            subject=f"Test:{number}",
            caller=SYSTEM,
            language="bg",
            data={"number": number, "име": "не е лично"},
            personal=personal,
        )
        for number in range(count)
    ]


def problems(world: World) -> list[tuple[int, str]]:
    return [(found.position, found.problem) for found in verify(world.tenant.pk)]


def test_a_whole_chain_verifies(world: World) -> None:
    events = write(world)
    assert [event.position for event in events] == [1, 2, 3, 4, 5]
    assert events[0].previous_hash == ""
    assert events[1].previous_hash == events[0].hash
    assert problems(world) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda events: events.update(action="other"),
        lambda events: events.all().delete(),
        lambda events: events.all()[0].delete(),
    ],
)
def test_the_database_refuses_to_change_the_past(world: World, change: Any) -> None:
    write(world, personal=None)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        change(AuditEvent.objects)
    assert AuditEvent.objects.filter(action=Action.DIRECTORY_IMPORTED).count() == 5


def unprotected(world: World) -> None:
    unprotect(connection)


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (lambda e: e.filter(position=3).update(data={"number": 9}), [(3, "it was changed")]),
        (lambda e: e.filter(position=3).update(actor_id=9), [(3, "it was changed")]),
        (lambda e: e.filter(position=5).delete(), [(5, "events at the end are missing")]),
        (
            lambda e: e.filter(position=3).delete(),
            [(4, "an event before it is missing"), (4, "it does not follow the event before it")],
        ),
    ],
)
def test_tampering_is_found(world: World, tamper: Any, found: list[tuple[int, str]]) -> None:
    write(world, personal=None)
    unprotected(world)
    tamper(AuditEvent.objects)
    assert problems(world) == found
    protect(connection)


def test_what_is_erased_keeps_the_chain_if_somebody_says_so(world: World) -> None:
    events = write(world)
    about = audit.events_about(world.tenant.pk, "Test:1")
    assert audit.erase_personal_data(about) == [2]
    assert problems(world) == [(2, "its personal data is gone, and nobody erased it")]
    say_erased(world, [2])
    assert problems(world) == []
    AuditPersonalData.objects.filter(event=events[3]).delete()
    assert problems(world) == [(4, "its personal data is gone, and nobody erased it")]


def say_erased(world: World, positions: list[int]) -> None:
    audit.record(
        tenant_id=world.tenant.pk, at=NOW, action=Action.CALLBACK_ERASED, subject="Somebody:1", caller=SYSTEM,
        language="bg", data={"erased": positions},
    )  # fmt: skip


def test_personal_data_is_never_edited(world: World) -> None:
    write(world)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditPersonalData.objects.filter(event__position=2).update(data={"name": "Боб"})
    unprotected(world)
    AuditPersonalData.objects.filter(event__position=2).update(data={"name": "Боб"})
    assert problems(world) == [(2, "its personal data was changed")]
    protect(connection)


def another_chain(heads: Any) -> dict[str, int]:
    return {heads.model._meta.pk.attname: heads.get().pk + 1}


@pytest.mark.parametrize(
    "change",
    [
        lambda heads: heads.update(position=4),
        lambda heads: heads.update(position=7),
        lambda heads: heads.update(hash="another"),
        lambda heads: heads.delete(),
        lambda heads: heads.update(**another_chain(heads)),
        lambda heads: heads.update(**another_chain(heads), position=6),
    ],
)
@pytest.mark.parametrize("of_a_tenant", [True, False])
def test_the_end_of_a_chain_moves_forward_only(world: World, change: Any, of_a_tenant: bool) -> None:
    write(world if of_a_tenant else None)
    heads = AuditHead.objects.all() if of_a_tenant else InstallationAuditHead.objects.all()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        change(heads)
    assert heads.get().position == 5


@pytest.mark.parametrize("heads", [AuditHead.objects, InstallationAuditHead.objects])
def test_nothing_is_noted_before_it_is_there(world: World, heads: Any) -> None:
    write(world)
    write(None)
    with pytest.raises(IntegrityError, match="not_ahead"), transaction.atomic():
        heads.update(anchored=6)
    heads.update(anchored=5)


@pytest.mark.parametrize(
    ("table", "other"),
    [
        ("auditevent", "id"),
        ("auditevent", "position"),
        ("auditpersonaldata", ""),
        ("audithead", ""),
        ("installationaudithead", ""),
    ],
)
def test_on_sqlite_nothing_of_the_trail_is_replaced(world: World, table: str, other: str) -> None:
    """``other``: another value of this column, so that one of two keys is the same."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has no INSERT OR REPLACE, and ON CONFLICT updates")
    write(world)
    write(None)
    name = f"tenants_{table}"
    with connection.cursor() as cursor:
        columns = [column.name for column in connection.introspection.get_table_description(cursor, name)]
        said = ", ".join(f"{column} + 1000" if column == other else column for column in columns)
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            cursor.execute(f"INSERT OR REPLACE INTO {name} ({', '.join(columns)}) SELECT {said} FROM {name}")


def test_on_postgresql_nothing_of_the_trail_can_be_emptied(world: World) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    for table in ("auditevent", "auditpersonaldata", "audithead", "installationaudithead"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE tenants_{table} CASCADE")


def test_chains_of_two_tenants_are_their_own(world: World) -> None:
    other = World.build()
    write(world, 2)
    write(other, 3)
    assert AuditHead.objects.get(tenant=world.tenant).position == 2
    assert AuditHead.objects.get(tenant=other.tenant).position == 3
    assert problems(world) == problems(other) == []


def test_what_is_no_tenants_has_a_chain_of_its_own(world: World) -> None:
    write(world, 1)
    events = write(None, 3, personal=None)
    assert [(event.tenant_id, event.position) for event in events] == [(None, 1), (None, 2), (None, 3)]
    assert list(audit.events_about(None, "Test:1")) == [events[1]]
    assert list(verify(None)) == problems(world) == []
    unprotect(connection)
    events[2].delete()
    assert [(found.tenant_id, found.position) for found in verify(None)] == [(None, 3)]
    protect(connection)


@pytest.mark.django_db(transaction=True)
def test_the_protection_is_still_there_after_a_migration_that_remakes_the_table() -> None:
    world = World.build()
    with transaction.atomic():
        write(world, 1)
    # What a later migration that alters the table does: SQLite makes a new table and drops the old one.
    state = MigrationExecutor(connection).loader.project_state()
    model = state.apps.get_model("tenants", "AuditEvent")
    old = model._meta.get_field("action")
    wider = old.clone()
    wider.max_length = 80
    wider.set_attributes_from_name("action")
    with connection.schema_editor() as editor:
        editor.alter_field(model, old, wider)
    call_command("migrate", verbosity=0)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        AuditEvent.objects.update(action="other")
    with connection.schema_editor() as editor:
        editor.alter_field(model, wider, old)
    call_command("migrate", verbosity=0)
