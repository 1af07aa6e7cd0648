"""Documents that come at once, and workers that meet over one: every thread gets a true answer, each piece is applied once."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from outbox.models import Task
from subscriptions.directory import work
from subscriptions.models import DirectoryUser, License, LicenseTally, SyncPiece, SyncRun
from tenants.callers import Scope
from tenants.models import AuditEvent
from tenants.people import SYSTEM
from tenants.verification import verify
from tests.kills.test_sync_kills import USERS, document, receive
from tests.races.together import together
from tests.sync.documents import body
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(db: None) -> World:
    return World.build(external_id="acme")


class Hosts:
    """Programs of one partner that send documents of the same customer."""

    def __init__(self, world: World) -> None:
        self._headers = {"Authorization": f"Bearer {world.token(Scope.SYNC)}"}

    def put(self, users: int) -> Any:
        rows = [{"id": f"u{n}", "principalName": f"user{n}@x.example"} for n in range(users)]
        content = body({"asOf": timezone.now().isoformat(), "users": rows}, in_lines=True)
        return Client().put(
            "/sync/tenants/acme", content, content_type="application/x-ndjson", headers=self._headers
        )  # fmt: skip


def answered(answers: list[Any]) -> Counter[tuple[int, str]]:
    """How often each status came, with the code of a problem; an exception is raised."""
    found: Counter[tuple[int, str]] = Counter()
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
        problems = answer.json()["problems"] if answer.status_code >= 400 else []
        found[answer.status_code, "".join(problem["code"] for problem in problems)] += 1
    return found


def test_two_short_ones_come_one_after_the_other(world: World) -> None:
    hosts = Hosts(world)
    for number in range(1, 6):
        found = answered(together(2, lambda _n, number=number: hosts.put(10 * number)))  # type: ignore[misc]
        assert found in ({(200, ""): 2}, {(200, ""): 1, (409, "SYNC_RUNNING"): 1})
        assert DirectoryUser.objects.filter(tenant=world.tenant).count() == 10 * number
    assert set(SyncRun.objects.values_list("state", flat=True)) == {"DONE"}
    assert AuditEvent.objects.filter(action="directory.imported").count() == 5
    assert not list(verify(world.tenant.pk))


def test_of_many_long_ones_one_is_taken(world: World) -> None:
    hosts = Hosts(world)
    found = answered(together(6, lambda _n: hosts.put(1_100)))
    assert found == {(202, ""): 1, (409, "SYNC_RUNNING"): 5}
    run = SyncRun.objects.get()
    assert Task.objects.get(kind=work.SYNC).key == work.key_of_run(run)
    # Nothing is left of those that were not.
    assert set(SyncPiece.objects.values_list("run", flat=True)) == {run.pk}
    assert work_on(run) is None
    run.refresh_from_db()
    assert (run.state, run.report["created"]) == ("DONE", 1_100)


def test_a_short_one_and_a_long_one(world: World) -> None:
    hosts = Hosts(world)
    for number in range(4):
        long, short = together(2, lambda n: hosts.put(3 if n else 1_100))
        found = answered([long, short])
        assert found in ({(202, ""): 1, (200, ""): 1}, {(202, ""): 1, (409, "SYNC_RUNNING"): 1}, {(200, ""): 1, (409, "SYNC_RUNNING"): 1})  # fmt: skip
        for run in SyncRun.objects.filter(state="RECEIVED"):
            work_on(run)
        assert SyncRun.objects.exclude(state="DONE").count() == 0, number


def work_on(run: SyncRun) -> Any:
    return work.work_on(run.pk, caller_of=lambda _run: SYSTEM, until=timezone.now() + timedelta(minutes=1))


def long_run(world: World) -> SyncRun:
    return receive(world.tenant, body(document(0, timezone.now() - timedelta(minutes=1)), in_lines=True))


def check_once(world: World, run: SyncRun) -> None:
    """The run is done, and each row was applied once."""
    run.refresh_from_db()
    report = run.report
    assert (run.state, run.cursor) == ("DONE", run.pieces)
    assert report["rows"] == sum(report[name] for name in ("created", "changed", "unchanged", "older", "left_out"))
    assert (report["counts"]["users_created"], report["left_out"]) == (USERS - 1, 12)
    assert DirectoryUser.objects.filter(tenant=world.tenant).count() == USERS - 1
    held = License.objects.held().filter(user__tenant=world.tenant).count()
    assert sum(LicenseTally.objects.values_list("assigned", flat=True)) == held
    assert AuditEvent.objects.filter(action="directory.imported").count() == 1
    assert not SyncPiece.objects.exists()
    assert not list(verify(world.tenant.pk))


def test_of_workers_on_one_run_the_last_one_has_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is read, and while it is applied: who had it before stops, and says nothing."""
    monkeypatch.setattr("subscriptions.directory.staging.PIECE", 10)
    run = long_run(world)
    assert together(4, lambda _n: work_on(run) or "stopped") == ["stopped"] * 4
    check_once(world, run)


def test_two_that_apply_the_same_piece(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subscriptions.directory.staging.PIECE", 40)
    run = long_run(world)
    work.stage(work.take_run(run.pk) or run, timezone.now())
    run.refresh_from_db()
    while run.state == "APPLYING":
        # Of the same fence: as if it had not been taken from anybody.
        seen = [SyncRun.objects.select_related("tenant", "source").get(pk=run.pk) for _ in range(3)]
        found = together(3, lambda n, seen=seen: work.apply_next(seen[n], caller=SYSTEM))  # type: ignore[misc]
        cursor = run.cursor
        run.refresh_from_db()
        assert run.cursor == cursor + 1
        assert sorted(map(str, found)) == ["False", "False", str(run.state == "APPLYING")]
    check_once(world, run)


def test_a_worker_that_was_held_up_leaves_what_another_has_read(world: World) -> None:
    run = long_run(world)
    late = work.take_run(run.pk)
    assert late
    work.stage(work.take_run(run.pk) or late, timezone.now())
    run.refresh_from_db()
    work.stage(late, timezone.now())
    assert SyncPiece.objects.filter(run=run, number__gt=0).count() == run.pieces
    assert not work.apply_next(late, caller=SYSTEM)
    work_on(run)
    check_once(world, run)


def test_gone_on_with_twice_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subscriptions.directory.staging.PIECE", 10)
    run = long_run(world)
    SyncRun.objects.filter(pk=run.pk).update(state="PAUSED")
    run.refresh_from_db()
    answers = together(6, lambda _n: work.resume_run(run=run, caller=SYSTEM, language="en", now=timezone.now()))
    assert sorted(map(str, answers)) == ["False"] * 5 + ["True"]
    assert AuditEvent.objects.filter(action="sync.resumed").count() == 1
    assert Task.objects.filter(kind=work.SYNC, status="WAITING").count() == 1
    work_on(run)
    check_once(world, run)


def test_gone_on_with_while_the_next_one_comes(world: World) -> None:
    """Either it goes on, and the next one is told so; or the next one has taken its place."""
    hosts = Hosts(world)
    for _ in range(4):
        run = long_run(world)
        SyncRun.objects.filter(pk=run.pk).update(state="PAUSED")

        def act(number: int, run: SyncRun = run) -> Any:
            if number:
                return hosts.put(5)
            return work.resume_run(run=run, caller=SYSTEM, language="en", now=timezone.now())

        resumed, put = together(2, act)
        run.refresh_from_db()
        assert (resumed, run.state, put.status_code) in [(True, "RECEIVED", 409), (False, "REPLACED", 200)]  # type: ignore[union-attr]
        work_on(run)
        assert not SyncPiece.objects.exists()
    assert not SyncRun.objects.exclude(state__in=["DONE", "REPLACED"]).exists()
