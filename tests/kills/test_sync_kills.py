"""kill -9 while a document comes in, is read and is applied: the end is that of one during which nobody died."""

from __future__ import annotations

import json
import os
import random
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from outbox.models import Task
from outbox.queue import requeue
from subscriptions.directory import work
from subscriptions.errors import SyncRunning
from subscriptions.models import DirectoryGroup, DirectoryUser, License, LicenseTally, SyncPiece, SyncRun
from tenants.models import AuditEvent, Tenant
from tenants.people import SYSTEM
from tenants.verification import verify
from tests.kills.test_kills import SEED, Actor, environment_of
from tests.reconciling import findings
from tests.sync.documents import body, open_run
from tests.sync.test_documents import CHARGE, S1
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
KILLS = int(os.environ.get("WAYOUT_KILLS", "10"))
USERS = 150


def document(number: int, as_of: datetime) -> dict[str, Any]:
    """The first, and each third, is broken in places; the next says less, and that it is all there is."""
    users = [
        {"id": f"u{n}", "principalName": f"user{n}@x.example", "displayName": f"User {n} {n % 3 and number}"}
        for n in range(USERS)
    ]
    licenses = [{"subscription": f"s{1 + n % 2}", "user": f"u{n // 2}"} for n in range(2 * USERS - 40 * (number % 3))]
    group = {"id": "g", "name": "Staff", "members": [f"u{n}" for n in range(number % 3, 30)], "licenses": ["s1"]}
    if number % 3 == 0:
        users += [{"id": "u1", "principalName": "other@x.example"}, {"id": "x", "state": "asleep"}]
        licenses += [{"subscription": "s1", "user": f"nobody{n}"} for n in range(7)]
    return {
        "asOf": as_of.isoformat(), "complete": ["licenses", "users"], "subscriptions": [S1, {**S1, "id": "s2"}],
        "charges": [CHARGE], "users": users, "groups": [group], "licenses": licenses,
    }  # fmt: skip


def receive(tenant: Tenant, content: bytes) -> SyncRun:
    now = timezone.now()
    run = open_run(tenant, in_lines=True, now=now)
    work.receive(run, [content], now)
    return run


def on_record(tenant: Tenant) -> dict[str, Any]:
    """All that documents are about, without the ids of rows."""
    licenses = License.objects.filter(user__tenant=tenant)
    said = ("is_direct", "is_inherited", "removed_at", "assigned_at", "known_at", "by_group_known_at")
    of_user = ("principal_name", "external_id", "display_name", "is_blocked", "deleted_at", "known_at")
    tallies = LicenseTally.objects.filter(subscription__tenant=tenant).order_by("subscription__external_id")
    return {
        "users": list(DirectoryUser.objects.filter(tenant=tenant).order_by("principal_key").values_list(*of_user)),
        "licenses": sorted(map(repr, licenses.values_list("user__external_id", "subscription__external_id", *said))),
        "groups": list(DirectoryGroup.objects.filter(tenant=tenant).values_list("external_id", "licenses__user__external_id").order_by("licenses__user__external_id")),
        "tallies": list(tallies.values_list("assigned", "removable", "by_group", "pending")),
        "reports": list(SyncRun.objects.filter(tenant=tenant, state="DONE").order_by("pk").values_list("report", "rows", "pieces")),
        "trail": [_counts(event) for event in AuditEvent.objects.filter(tenant=tenant, action="directory.imported").order_by("position")],
    }  # fmt: skip


def _counts(event: AuditEvent) -> dict[str, Any]:
    return {name: event.data[name] for name in ("created", "changed", "removed", "left_out", "as_of")}


@pytest.mark.parametrize("kills", [pytest.param(3, id="few"), pytest.param(KILLS, id="many", marks=pytest.mark.long)])
def test_kills_end_as_if_nobody_had_died(kills: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(SEED)
    world, twin = World.build(), World.build()
    documents: list[bytes] = []
    killed: dict[str, int] = {"RECEIVED": 0, "APPLYING": 0}
    worker = Actor("syncer", environment_of(tmp_path))
    began = timezone.now() - timedelta(days=1)
    try:
        while sum(killed.values()) < kills:
            documents.append(body(document(len(documents), began + timedelta(minutes=len(documents))), in_lines=True))
            run = receive(world.tenant, documents[-1])
            while (state := wait_for_work(run, chance.uniform(0, chance.choice([0.1, 1])))) and sum(
                killed.values()
            ) < kills:
                assert worker.kill()
                killed[state] += 1
                worker.start()
            wait_for_end(run)
    finally:
        worker.kill()
    monkeypatch.setattr("subscriptions.directory.staging.PIECE", 5)
    for content in documents:
        run = receive(twin.tenant, content)
        work.work_on(run.pk, caller_of=lambda _run: SYSTEM, until=timezone.now() + timedelta(hours=1))
    assert on_record(world.tenant) == on_record(twin.tenant)
    assert not SyncPiece.objects.exists()
    assert set(SyncRun.objects.values_list("state", flat=True)) == {"DONE"}
    assert not [finding for finding in findings(timezone.now()) if "tally" in finding]
    assert not list(verify(world.tenant.pk))
    print(f"{killed} kills during {len(documents)} documents")


def wait_for_work(run: SyncRun, seconds: float) -> str:
    """Until a worker has had the run for so long; what it is doing, or nothing once the run is over."""
    fence = SyncRun.objects.get(pk=run.pk).fence
    for _ in range(1_200):
        if Task.objects.filter(key=work.key_of_run(run), status="STUCK").exists():
            requeue(key=work.key_of_run(run), now=timezone.now())
        run.refresh_from_db()
        if run.state == "DONE":
            return ""
        if run.fence > fence:
            time.sleep(seconds)
            run.refresh_from_db()
            return "" if run.state == "DONE" else str(run.state)
        time.sleep(0.02)
    pytest.fail(f"nobody works on it: {list(Task.objects.values('key', 'status', 'last_failure'))}")


def wait_for_end(run: SyncRun) -> None:
    """Let the living finish; a run that ended three workers in a row is gone on with by staff."""
    for _ in range(1_200):
        if SyncRun.objects.filter(pk=run.pk, state="DONE").exists():
            return
        if Task.objects.filter(key=work.key_of_run(run), status="STUCK").exists():
            requeue(key=work.key_of_run(run), now=timezone.now())
        time.sleep(0.1)
    pytest.fail(f"not finished: {list(Task.objects.values('key', 'status', 'last_failure'))}")


def test_killed_while_it_comes_in_nothing_of_it_is_taken(tmp_path: Path) -> None:
    """What came is half of a document; nobody was told that it was taken, so whoever sent it sends it again."""
    world = World.build(external_id="c-1")
    whole = {**document(1, timezone.now() - timedelta(minutes=1)), "complete": []}
    content = body(whole, in_lines=True).rpartition(b"\n")[0]
    (tmp_path / "document").write_bytes(content)
    sender = Actor("sender", {**environment_of(tmp_path), "WAYOUT_TEST_DOCUMENT": str(tmp_path / "document")})
    try:
        for _ in range(600):
            if SyncPiece.objects.count() >= 3:
                break
            time.sleep(0.05)
        assert sender.kill()
    finally:
        sender.kill()
    half = SyncRun.objects.get()
    assert (half.state, Task.objects.count()) == ("RECEIVED", 0)
    now = timezone.now()
    with pytest.raises(SyncRunning):
        receive(world.tenant, content)
    later = now + work.PAUSED_AFTER + timedelta(seconds=1)
    assert work.pause_stuck_runs(later) == 1
    half.refresh_from_db()
    assert not work.resume_run(run=half, caller=SYSTEM, language="en", now=later)
    assert SyncRun.objects.get().state == "PAUSED"
    run = receive(world.tenant, content)
    work.work_on(run.pk, caller_of=lambda _run: SYSTEM, until=later)
    run.refresh_from_db()
    half.refresh_from_db()
    assert (half.state, run.state, run.report["left_out"]) == ("REPLACED", "DONE", 0)
    assert DirectoryUser.objects.filter(tenant=world.tenant).count() == USERS
    assert json.loads(content.splitlines()[-1]) == {"licenses": whole["licenses"][-1]}
    assert not SyncPiece.objects.exists()
