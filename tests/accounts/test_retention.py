"""What is kept for how long: the table of the documentation, and that the worker does what it says, to the day."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import transaction

from desk.models import CallbackRequest
from outbox.models import Task
from outbox.registry import Lane, periodic_work
from subscriptions.models import FactSource, IdempotencyRecord, Reconciliation, SyncRun
from subscriptions.reconciliation.runs import reconcile_daily
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Role, Scope
from tenants.models import AuditEvent, AuditPersonalData, Invitation, PartnerToken, PortalSession, VouchedPerson
from tenants.people import SYSTEM
from tenants.verification import verify
from tenants.vouching import new_session
from tests.admin.test_admin import callback
from tests.builders import NOW
from tests.world import World
from webhooks.models import Event

pytestmark = pytest.mark.django_db
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
SECTION = DOCUMENT.read_text().partition("## What is kept for how long")[2].partition("\n## ")[0]
TABLE = {by: int(days) for days, by in re.findall(r"\| (\d+) \| `(\w+)` \|", SECTION)}
HOUR = timedelta(hours=1)


def _request(world: World, at: datetime) -> None:
    row = callback(world)
    CallbackRequest.objects.filter(pk=row.pk).update(status="WITHDRAWN", closed_at=at)


def _session(world: World, at: datetime) -> None:
    Session.objects.create(session_key=uuid.uuid4().hex, session_data="", expire_date=at)


def _task(world: World, at: datetime) -> None:
    for status, lane in (("DONE", Lane.MONEY), ("GIVEN_UP", Lane.MAIL), ("GIVEN_UP", Lane.MONEY)):
        Task.objects.create(
            kind="x", lane=lane, key=uuid.uuid4().hex, run_at=at, created_at=at, status=status, finished_at=at
        )


def _event(world: World, at: datetime) -> None:
    name = uuid.uuid4().hex
    Event.objects.create(
        message_id=name, key=name, type="x", tenant=world.tenant, subject=name, version=1, at=at, data={}
    )


def _key(world: World, at: datetime) -> None:
    IdempotencyRecord.objects.create(
        tenant=world.tenant, operation="x", key=uuid.uuid4().hex, input_digest="x", answer={}, created_at=at
    )


def _entry(world: World, at: datetime) -> None:
    entry = LogEntry.objects.create(user=world.admin, action_flag=2)
    LogEntry.objects.filter(pk=entry.pk).update(action_time=at)


def _name(world: World, at: datetime) -> None:
    with transaction.atomic():
        for tenant_id in (world.tenant.pk, None):
            record(
                tenant_id=tenant_id, at=at, action=Action.USER_CHANGED, subject="User:1", caller=SYSTEM, language="en",
                data={}, personal={"name": "Ada"},
            )  # fmt: skip


def _vouched_person(world: World, at: datetime) -> VouchedPerson:
    world.token(Scope.SESSIONS)
    token = PartnerToken.objects.latest("pk")
    return VouchedPerson.objects.create(
        tenant=world.tenant, token=token, partner=token.partner, external_id="7", name="Ada", seen_at=at
    )


def _portal_session(world: World, at: datetime) -> None:
    person = _vouched_person(world, at)
    token, lasts = person.token, timedelta(minutes=15)
    new_session(person=person, token=token, role=Role.VIEWER, lasts=lasts, now=at - lasts).save()


def _invitations(world: World, at: datetime) -> None:
    """One of each end."""
    for ends in ({}, {"accepted_at": at}, {"withdrawn_at": at}):
        expires_at = NOW if ends else at
        Invitation.objects.create(
            tenant=world.tenant, email="ada@x.example", role="VIEWER", language="en", created_at=at, expires_at=expires_at,
            **ends,
        )  # fmt: skip


def _run(world: World, at: datetime) -> None:
    source = FactSource.objects.get_or_create(tenant=world.tenant, key="host", defaults={"name": "Host"})[0]
    SyncRun.objects.create(tenant=world.tenant, source=source, state="DONE", created_at=at, finished_at=at)


def _reconciliation(world: World, at: datetime) -> None:
    Reconciliation.objects.create(since=at, until=at, started_at=at, finished_at=at)


# How to make one, and how many of what was made are still there.
SCENES: dict[str, tuple[Callable[[World, datetime], object], Callable[[], int]]] = {
    "erase_old_contacts": (_request, CallbackRequest.objects.exclude(phone="").count),
    "forget_sessions": (_session, Session.objects.count),
    "forget_vouched_people": (_vouched_person, VouchedPerson.objects.exclude(name="").count),
    "forget_portal_sessions": (_portal_session, PortalSession.objects.count),
    "forget_invitations": (_invitations, Invitation.objects.count),
    "forget_done_tasks": (_task, Task.objects.filter(kind="x").count),
    "forget_events": (_event, Event.objects.count),
    "forget_runs": (_run, SyncRun.objects.count),
    "forget_keys": (_key, IdempotencyRecord.objects.count),
    "forget_admin_history": (_entry, LogEntry.objects.count),
    "forget_old_names": (_name, AuditPersonalData.objects.count),
    "reconcile_daily": (_reconciliation, Reconciliation.objects.filter(until__lt=NOW - 30 * 24 * HOUR).count),
}


def test_the_table_has_all_that_forgets_and_nothing_else() -> None:
    forgets = {name for name in periodic_work() if name.startswith(("forget_", "erase_"))}
    assert set(TABLE) == forgets | {"reconcile_daily"} == set(SCENES)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", sorted(SCENES))
def test_it_goes_when_the_table_says_and_not_before(world: World, name: str) -> None:
    make, left = SCENES[name]
    work = reconcile_daily if name == "reconcile_daily" else periodic_work()[name][0]
    make(world, NOW - timedelta(days=TABLE[name]) + HOUR)
    young = left()
    work(NOW)
    assert left() == young > 0
    make(world, NOW - timedelta(days=TABLE[name]) - HOUR)
    work(NOW)
    # A task about money that was given up waits for somebody.
    assert left() == young + (name == "forget_done_tasks")


def test_names_go_from_the_trail_and_the_chains_say_so_and_hold(world: World) -> None:
    for _ in range(3):
        _name(world, NOW - timedelta(days=1096))
    assert periodic_work()["forget_old_names"][0](NOW) == 6
    for tenant in (world.tenant, None):
        said = AuditEvent.objects.get(action="names.expired", tenant=tenant)
        assert len(said.data["erased"]) == 3
        assert list(verify(tenant.pk if tenant else None)) == []
    assert periodic_work()["forget_old_names"][0](NOW) == 0


def test_pieces_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("tenants.personal", "tenants.sessions", "portal.periodic"):
        monkeypatch.setattr(f"{module}._BATCH", 2)
    for make in (_name, _session, _entry):
        for _ in range(5):
            make(world, NOW - timedelta(days=2000))
    found = {
        name: work(NOW)
        for name, (work, _) in periodic_work().items()
        if SCENES.get(name, [None])[0] in (_name, _session, _entry)
    }
    assert found == {"forget_old_names": 10, "forget_sessions": 5, "forget_admin_history": 5}
