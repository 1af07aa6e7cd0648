"""manage.py verify_audit: says that the trail holds, or where it does not, and exits 1."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tenants.models import AuditEvent, AuditPersonalData
from tenants.protection import protect, unprotect
from tests.tenants.test_audit import write
from tests.world import World

pytestmark = pytest.mark.django_db


def run(**options: Any) -> str:
    out = io.StringIO()
    call_command("verify_audit", stdout=out, **options)
    return out.getvalue()


def test_a_trail_that_holds(world: World) -> None:
    write(world)
    World.build()
    assert "The audit trail holds. Chains: 3." in run()
    assert "The audit trail holds. Chains: 1." in run(tenant=world.tenant.domain.upper())


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda events: events.filter(position=2).update(action="x"), "event 2: it was changed"),
        (lambda events: events.filter(position=2).delete(), "event 3: an event before it is missing"),
        (lambda events: swap(events), "event 2: it does not follow the event before it"),
        (lambda events: events.filter(position=5).delete(), "event 5: events at the end are missing"),
    ],
)
def test_a_changed_a_removed_and_a_reordered_event_are_found(world: World, tamper: Any, said: str) -> None:
    write(world, personal=None)
    unprotect(connection)
    tamper(AuditEvent.objects.all())
    protect(connection)
    out = io.StringIO()
    with pytest.raises(CommandError, match="does not hold"):
        call_command("verify_audit", stdout=out)
    assert f"{world.tenant.domain}, {said}" in out.getvalue()


def swap(events: Any) -> None:
    for old, new in ((2, 99), (3, 2), (99, 3)):
        events.filter(position=old).update(position=new)


def test_a_tenant_that_is_not_there(world: World) -> None:
    with pytest.raises(CommandError, match="no tenant"):
        run(tenant="nowhere.example")


def test_the_trail_of_the_installation_is_walked_too(world: World) -> None:
    write(None)
    assert "The audit trail holds" in run()
    AuditPersonalData.objects.filter(event__position=2).delete()
    out = io.StringIO()
    with pytest.raises(CommandError, match="does not hold"):
        call_command("verify_audit", stdout=out)
    assert "installation, event 2: its personal data is gone, and nobody erased it" in out.getvalue()
    assert "The audit trail holds. Chains: 1." in run(tenant=world.tenant.domain)
