"""Hashes with a key and a format: whoever writes the database makes none, and older ones stay right for ever."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from common.keys import key_id
from tenants import hashing
from tenants.actions import Action
from tenants.audit import events_by_key
from tenants.models import AuditEvent, AuditHead, AuditPersonalData
from tenants.protection import protect, unprotect
from tenants.verification import OLDER
from tests.builders import NOW
from tests.rotation import rotate
from tests.tenants.test_audit import problems, write
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _unprotected(db: Any) -> Any:
    unprotect(connection)
    yield
    protect(connection)


NOT_SIGNED = "that events up to 1 are of the older format is not signed with a key that is named"


def migrated() -> None:
    """What the migration does with every chain."""
    import_module("tenants.migrations.0006_trail_heads").sign_ends(apps, None)


def as_the_version_before(
    world: World, *, at: datetime = NOW, name: str = "Ада", action: str = "", data: Any = None
) -> AuditEvent:
    """Append as it did: a plain hash, personal data hashed with the only key."""
    head, _ = AuditHead.objects.get_or_create(tenant=world.tenant)
    event = AuditEvent(
        tenant=world.tenant, position=head.position + 1, at=at, action=action or Action.CALLBACK_UPDATED,
        subject="CallbackRequest:7", actor_kind="SYSTEM", actor_id=0, language="bg", data=data or {"number": 1},
        previous_hash=head.hash, format=1,
    )  # fmt: skip
    made = hashing.digest("wayout.audit.personal", hashing.canonical({"name": name}))
    event.personal_digest = made.partition(":")[2]
    event.hash = hashing.hashlib.sha256(hashing._covered(event).encode()).hexdigest()
    event.save(force_insert=True)
    AuditPersonalData.objects.create(event=event, data={"name": name})
    AuditHead.objects.filter(tenant=world.tenant).update(position=event.position, hash=event.hash)
    return event


def test_what_a_format_covers_never_changes(settings: Any) -> None:
    settings.SECRET_KEY = "x" * 50
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    event = AuditEvent(
        tenant_id=1, position=2, at=at, action="a", subject="b", actor_kind="STAFF", actor_id=3, language="bg",
        correlation_id="c", data={"г": 1}, previous_hash="p", format=1,
    )  # fmt: skip
    assert hashing._covered(event) == (
        '{"action":"a","actor":["STAFF",3],"at":"2026-03-01T12:00:00+00:00","data":{"г":1},"language":"bg","personal":"",'
        '"position":2,"previous":"p","request":"c","subject":"b","tenant":1}'
    )
    hashing.sign(event, {"name": "Ада"})
    assert (event.format, event.key_id) == (2, key_id("x" * 50))
    assert '"format":2,"key":"' in hashing._covered(event)
    assert event.hash == SIGNED


SIGNED = "8b33f85cd0e4a3071c639af40bda4b00857279d70505976c9fea50fb30471fb6"


def test_older_events_stay_right_and_newer_ones_follow_them(world: World) -> None:
    as_the_version_before(world)
    as_the_version_before(world)
    migrated()
    write(world, 2)
    assert problems(world) == []


def test_whoever_writes_the_database_cannot_make_a_hash(world: World) -> None:
    write(world, 3, personal=None)
    last = AuditEvent.objects.get(position=3)
    last.data = {"number": 9}
    last.hash = hashing.hashlib.sha256(hashing._covered(last).encode()).hexdigest()
    AuditEvent.objects.filter(pk=last.pk).update(data=last.data, hash=last.hash)
    AuditHead.objects.update(hash=last.hash)
    assert problems(world) == [(3, "it was changed")]


def test_nobody_forges_an_event_of_the_older_format(world: World) -> None:
    write(world, 2)
    as_the_version_before(world, at=NOW)
    assert problems(world) == [(3, OLDER)]


def test_a_chain_made_anew_in_the_older_format_is_told(world: World) -> None:
    as_the_version_before(world)
    migrated()
    AuditPersonalData.objects.all().delete()
    AuditEvent.objects.all().delete()
    AuditHead.objects.update(position=0, hash="")
    as_the_version_before(world, name="Боб")
    assert problems(world) == [(1, NOT_SIGNED)]
    AuditHead.objects.update(older_until=0)
    assert problems(world) == [(1, OLDER)]
    AuditHead.objects.update(older_until=9)
    assert problems(world) == [(1, NOT_SIGNED.replace("1", "9"))]


def test_what_a_forged_event_says_to_be_erased_is_not(world: World) -> None:
    write(world, 1)
    AuditPersonalData.objects.all().delete()
    as_the_version_before(world, action=Action.PERSON_ERASED, data={"erased": [1]})
    assert problems(world) == [(2, OLDER), (1, "its personal data is gone, and nobody erased it")]


def test_what_was_written_during_an_update_can_be_accepted(world: World) -> None:
    write(world, 1, personal=None)
    event = as_the_version_before(world)
    AuditPersonalData.objects.filter(event=event).delete()
    as_the_version_before(world, action=Action.CALLBACK_ERASED)
    write(world, 1)
    out = io.StringIO()
    call_command("verify_audit", accept_older=True, stdout=out)
    assert f"{world.tenant.domain}, event 3: {OLDER}" in out.getvalue()
    assert "Chains of which events of the older format were accepted: 1." in out.getvalue()
    assert problems(world) == []
    as_the_version_before(world)
    assert problems(world) == [(5, OLDER)]


def test_nothing_is_accepted_of_a_trail_that_does_not_hold(world: World) -> None:
    as_the_version_before(world)
    write(World.build(), 2, personal=None)
    AuditEvent.objects.filter(position=2).update(action="x")
    with pytest.raises(CommandError, match=r"Breaks: 1\."):
        call_command("verify_audit", accept_older=True, stdout=io.StringIO())
    assert problems(world) == [(1, OLDER)]


def test_the_key_that_signed_where_older_events_end_is_needed(world: World, settings: Any) -> None:
    before = settings.SECRET_KEY
    as_the_version_before(world)
    AuditPersonalData.objects.all().delete()
    AuditEvent.objects.update(personal_digest="")
    event = AuditEvent.objects.get()
    event.hash = hashing.hashlib.sha256(hashing._covered(event).encode()).hexdigest()
    AuditEvent.objects.update(hash=event.hash)
    AuditHead.objects.update(hash=event.hash)
    migrated()
    rotate(settings)
    assert problems(world) == []
    assert events_by_key() == {key_id(before): 1}
    settings.SECRET_KEY_FALLBACKS = []
    assert problems(world) == [(1, NOT_SIGNED)]


def test_a_key_that_is_not_named_is_said_and_nothing_else(world: World, settings: Any) -> None:
    before = settings.SECRET_KEY
    write(world, 1)
    rotate(settings)
    write(world, 1)
    assert problems(world) == []
    settings.SECRET_KEY_FALLBACKS = []
    assert problems(world) == [(1, f"its key, {key_id(before)}, is not named")]
    settings.WAYOUT_DIGEST_KEYS = [before]
    assert problems(world) == []


def test_personal_data_of_the_first_format_is_looked_up_under_each_key(world: World, settings: Any) -> None:
    as_the_version_before(world)
    migrated()
    rotate(settings)
    assert problems(world) == []
    AuditPersonalData.objects.update(data={"name": "Боб"})
    assert problems(world) == [(1, "its personal data was changed, or its key is not named")]


def test_what_was_erased_before_there_was_a_second_format_counts_as_erased(world: World) -> None:
    event = as_the_version_before(world)
    AuditPersonalData.objects.filter(event=event).delete()
    migrated()
    assert problems(world) == [(1, "its personal data is gone, and nobody erased it")]
    as_the_version_before(world, action=Action.CALLBACK_ERASED)
    migrated()
    assert problems(world) == []


def test_a_format_of_a_later_version_is_said(world: World) -> None:
    write(world, 1)
    AuditEvent.objects.update(format=3)
    assert problems(world) == [(1, "this version does not know its format")]


def test_a_trail_with_keyed_hashes_is_not_migrated_back(world: World) -> None:
    go_back = import_module("tenants.migrations.0005_keyed_trail").refuse_to_forget
    go_back(apps, None)
    write(world)
    with pytest.raises(CommandError, match="Nothing was migrated back"):
        go_back(apps, None)
