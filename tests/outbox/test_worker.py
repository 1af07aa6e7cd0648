"""The outbox: what was asked for in a transaction happens, once where that matters, and failures are waited out."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.core.management import call_command
from django.db import OperationalError, transaction
from hypothesis import given
from hypothesis import strategies as st

from outbox import mail, registry, watch, worker
from outbox.models import PeriodicRun, Task
from outbox.queue import enqueue, requeue
from outbox.registry import PermanentFailure, RetryLater
from outbox.worker import LEASE, MAX_CRASHES, MAX_FAILURES, claim, run, wait_after, work_off
from tests.builders import NOW

pytestmark = pytest.mark.django_db


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def wait(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Handles the kind "note"; the payload's "trouble" is raised. No periodic work."""
    noted: list[Any] = []

    def note(payload: dict[str, Any], now: datetime) -> datetime | None:
        noted.append(payload.get("n"))
        troubles = payload.get("troubles", [])
        if len(noted) <= len(troubles):
            raise {"again": RetryLater("busy"), "later": RetryLater("busy", timedelta(hours=3)), "no": PermanentFailure("never"),
                   "down": RetryLater("unreachable", outage=True), "down until": RetryLater("503", timedelta(hours=3), True),
                   }.get(troubles[len(noted) - 1], RuntimeError("secret detail"))  # fmt: skip
        return None

    monkeypatch.setattr(registry, "_handlers", {"note": note})
    monkeypatch.setattr(registry, "_periodic", {})
    return noted


def ask(n: int = 1, run_at: datetime = NOW, **more: Any) -> None:
    at_most_once = more.pop("at_most_once", False)
    enqueue(
        kind=more.pop("kind", "note"),
        key=f"k{n}",
        payload={"n": n, **more},
        run_at=run_at,
        now=NOW,
        at_most_once=at_most_once,
    )


def test_tasks_run_when_they_are_due_the_oldest_first(done: list[Any], clock: Clock) -> None:
    ask(1, NOW + timedelta(hours=1))
    ask(2)
    ask(3, NOW - timedelta(hours=1))
    assert work_off(clock) == 2
    assert done == [3, 2]
    clock.wait(hours=1)
    work_off(clock)
    assert done == [3, 2, 1]
    assert set(Task.objects.values_list("status", flat=True)) == {"DONE"}


def test_a_key_asks_once_and_a_rolled_back_change_asks_for_nothing(done: list[Any], clock: Clock) -> None:
    ask(1)
    ask(1)
    with transaction.atomic():
        ask(2)
        transaction.set_rollback(True)
    work_off(clock)
    assert done == [1]


def test_failures_wait_longer_each_time_and_are_given_up_in_the_end(done: list[Any], clock: Clock) -> None:
    ask(1, troubles=["again"] * 50)
    waits = []
    while (task := Task.objects.get()).status == "WAITING":
        waits.append(task.run_at - clock.now)
        clock.now = max(clock.now, task.run_at)
        work_off(clock)
    assert len(done) == MAX_FAILURES
    assert (task.status, task.last_failure) == ("GIVEN_UP", "busy")
    assert waits[-1] > waits[2] > timedelta(0)
    assert requeue(key="k1", now=clock.now)
    done.clear()
    done.extend([0] * 50)
    work_off(clock)
    assert Task.objects.get().status == "DONE"


def test_what_the_other_side_asks_for_is_waited(done: list[Any], clock: Clock) -> None:
    ask(1, troubles=["later"])
    work_off(clock)
    assert Task.objects.get().run_at == NOW + timedelta(hours=3)


def test_an_outage_is_waited_out_however_long_it_takes_and_counts_as_no_failure(done: list[Any], clock: Clock) -> None:
    ask(1, troubles=["again"] * (MAX_FAILURES - 1) + ["down"] * 200)
    waits = []
    while (task := Task.objects.get()).status == "WAITING":
        waits.append(task.run_at - clock.now)
        clock.now = max(clock.now, task.run_at)
        work_off(clock)
        if len(done) == 100:
            seen = Task.objects.get()
            assert (seen.failures, seen.outages, seen.last_failure) == (MAX_FAILURES - 1, 89, "unreachable")
    assert (task.status, task.failures, task.outages) == ("DONE", 0, 0)
    assert len(done) == MAX_FAILURES + 200
    outages = waits[MAX_FAILURES:]
    assert outages[0] < timedelta(seconds=5)
    assert timedelta(hours=2) <= min(outages[20:]) <= max(outages) <= timedelta(hours=4)
    # What failed by itself is not left alone for as long.
    assert max(waits[:MAX_FAILURES]) <= timedelta(hours=1)


def test_an_outage_lasts_at_least_as_long_as_the_other_side_says(done: list[Any], clock: Clock) -> None:
    ask(1, at_most_once=True, troubles=["down until"])
    work_off(clock)
    task = Task.objects.get()
    assert (task.status, task.run_at) == ("WAITING", NOW + timedelta(hours=3))
    assert requeue(key="k1", now=NOW)
    assert Task.objects.get().outages == 0


def test_an_outage_does_not_outlive_the_other_sides_answer(done: list[Any], clock: Clock) -> None:
    ask(1, troubles=["down", "down", "again"])
    for _ in range(3):
        work_off(clock)
        clock.wait(hours=1)
    task = Task.objects.get()
    assert (task.failures, task.outages, task.failing_since) == (1, 0, NOW)


@pytest.mark.parametrize("trouble", ["down", "again", "no", "crash"])
def test_since_when_it_fails_is_known_until_it_does_not(done: list[Any], clock: Clock, trouble: str) -> None:
    ask(1, troubles=[trouble] * 2)
    since = clock.now
    if trouble == "crash":
        assert crash(clock)
        since = clock.now
        assert crash(clock)
    for _ in range(2):
        work_off(clock)
        if trouble != "crash":
            assert Task.objects.get().failing_since == since
        clock.wait(hours=5)
    done.extend([0] * 5)
    requeue(key="k1", now=clock.now)
    assert Task.objects.get().failing_since is None
    work_off(clock)
    task = Task.objects.get()
    assert (task.status, task.failing_since) == ("DONE", None)


@pytest.mark.parametrize("kind", ["note", "unknown"])
def test_what_is_hopeless_is_given_up_at_once(done: list[Any], clock: Clock, kind: str) -> None:
    ask(1, kind=kind, troubles=["no"])
    work_off(clock)
    task = Task.objects.get()
    assert (task.status, task.failures) == ("GIVEN_UP", 0)


def test_an_unexpected_failure_is_retried_and_tells_no_secret(done: list[Any], clock: Clock) -> None:
    ask(1, troubles=["boom"])
    work_off(clock)
    task = Task.objects.get()
    assert (task.status, task.failures, task.last_failure) == ("WAITING", 1, "RuntimeError")


def test_a_dead_workers_effect_is_taken_over_when_its_lease_is_over(done: list[Any], clock: Clock) -> None:
    ask(1)
    dead = claim(clock())
    assert dead
    assert work_off(clock) == 0
    clock.wait(seconds=LEASE.total_seconds() + 1)
    assert work_off(clock) == 1
    # The dead one was only slow: it does the thing, but writes nothing about it.
    finished_at = Task.objects.get().finished_at
    clock.wait(hours=1)
    run(dead, clock)
    assert Task.objects.get().finished_at == finished_at


def test_what_must_not_happen_twice_is_given_up_instead(done: list[Any], clock: Clock) -> None:
    ask(1, at_most_once=True)
    ask(2, at_most_once=True, run_at=NOW + timedelta(seconds=1), troubles=["again"])
    assert claim(clock())
    clock.wait(hours=1)
    work_off(clock)
    interrupted, failed = Task.objects.order_by("pk")
    assert (interrupted.status, interrupted.last_failure) == ("GIVEN_UP", "interrupted: it may have happened")
    # One that said itself that nothing happened is tried again.
    assert (failed.status, done) == ("WAITING", [2])
    assert requeue(key="k1", now=clock.now)
    work_off(clock)
    assert done == [2, 1]


def crash(clock: Clock) -> Task | None:
    """A worker takes a task and dies; until somebody may take it again."""
    task = claim(clock())
    clock.wait(seconds=LEASE.total_seconds() + 1)
    return task


def test_what_ends_its_worker_three_times_is_left_to_staff_who_are_told_once(
    done: list[Any], clock: Clock, settings: Any, mailoutbox: list[EmailMessage]
) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["staff@wayout.example"]
    registry.handles(mail.STAFF, registry.Lane.MAIL)(mail.send_to_staff)
    ask(1)
    assert [bool(crash(clock)) for _ in range(MAX_CRASHES)] == [True] * MAX_CRASHES
    ask(2)
    for _ in range(2):
        work_off(clock)
        clock.wait(hours=1)
    stuck = Task.objects.get(key="k1")
    assert (stuck.status, stuck.crashes, done) == ("STUCK", MAX_CRASHES, [2])
    assert [message.to for message in mailoutbox] == [["staff@wayout.example"]]
    assert "k1" in mailoutbox[0].subject
    # Staff mended the cause, they think: it counts from the start.
    assert requeue(key="k1", now=clock.now)
    for _ in range(MAX_CRASHES - 1):
        assert crash(clock)
    assert Task.objects.get(key="k1").status == "WAITING"
    assert crash(clock)
    work_off(clock)
    assert Task.objects.get(key="k1").status == "STUCK"
    assert len(mailoutbox) == 2


@pytest.mark.parametrize("between", ["again", "down"])
def test_only_crashes_in_a_row_count(done: list[Any], clock: Clock, between: str) -> None:
    ask(1, troubles=[between])
    for _ in range(MAX_CRASHES - 1):
        assert crash(clock)
    work_off(clock)
    assert Task.objects.get().crashes == 0
    clock.wait(hours=1)
    for _ in range(MAX_CRASHES - 1):
        assert crash(clock)
    work_off(clock)
    assert (Task.objects.get().status, done) == ("DONE", [1, 1])


def test_however_many_were_interrupted_the_worker_goes_on(done: list[Any], clock: Clock) -> None:
    long_ago = NOW - timedelta(days=1)
    Task.objects.bulk_create(
        Task(kind="note", key=f"i{n}", run_at=long_ago, created_at=long_ago, at_most_once=True, leased_until=long_ago)
        for n in range(1_200)
    )
    ask(1)
    work_off(clock)
    assert done == [1]
    assert Task.objects.filter(status="GIVEN_UP").count() == 1_200


def test_what_takes_too_long_ends_its_worker(done: list[Any], clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(watch, "LONGEST", timedelta(seconds=0.2))
    monkeypatch.setattr(watch, "leave", ended.set)
    monkeypatch.setattr(registry, "_handlers", {"note": lambda payload, now: ended.wait(10) and None})
    ask(1)
    work_off(clock)
    assert ended.is_set()
    ended.clear()
    monkeypatch.setattr(registry, "_handlers", {"note": lambda payload, now: None})
    ask(2)
    work_off(clock)
    assert not ended.wait(0.4)


def test_a_lease_of_a_clock_that_ran_ahead_is_none(done: list[Any], clock: Clock) -> None:
    ask(1)
    clock.wait(days=30)
    assert claim(clock())
    clock.wait(days=-30)
    assert work_off(clock) == 1
    assert done == [1]


@pytest.mark.django_db(transaction=True)
def test_a_database_that_fails_once_does_not_end_the_lease_of_who_works_on(
    done: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LEASE", timedelta(seconds=0.3))
    failed, extended = threading.Event(), threading.Event()

    def clock() -> datetime:
        if threading.current_thread() is not threading.main_thread():
            if not failed.is_set():
                failed.set()
                raise OperationalError
            extended.set()
        return NOW

    monkeypatch.setattr(registry, "_handlers", {"note": lambda *_: extended.wait(5) and None})
    ask(1)
    assert work_off(clock) == 1
    assert extended.is_set()


def test_periodic_work_runs_once_an_interval_and_catches_up(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    ran: list[datetime] = []

    def sweep(now: datetime) -> int:
        ran.append(now)
        if len(ran) == 2:
            raise RuntimeError
        return 1

    monkeypatch.setattr(registry, "_periodic", {"sweep": (sweep, timedelta(minutes=5))})
    for _ in range(3):
        worker.run_periodic(clock)
    assert len(ran) == 1
    clock.wait(days=3)
    worker.run_periodic(clock)
    worker.run_periodic(clock)
    assert len(ran) == 2
    assert PeriodicRun.objects.get().next_at == clock.now + timedelta(minutes=5)


def test_a_clock_that_ran_ahead_stops_no_periodic_work(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    ran: list[datetime] = []
    monkeypatch.setattr(registry, "_periodic", {"sweep": (lambda now: len(ran.append(now) or []), timedelta(hours=6))})
    for days in (0, 30, -30):
        clock.wait(days=days)
        worker.run_periodic(clock)
        worker.run_periodic(clock)
    assert ran == [NOW, NOW + timedelta(days=30), NOW]
    clock.wait(hours=6)
    worker.run_periodic(clock)
    assert len(ran) == 4
    # Of two workers whose looks at the clock cross each other, one runs it.
    clock.wait(seconds=-2)
    worker.run_periodic(clock)
    assert len(ran) == 4


def test_done_tasks_are_forgotten_after_a_month(done: list[Any], clock: Clock) -> None:
    ask(1)
    ask(2, NOW + timedelta(days=60))
    work_off(clock)
    assert worker.forget_done(NOW + timedelta(days=29)) == 0
    assert worker.forget_done(NOW + timedelta(days=31)) == 1
    assert list(Task.objects.values_list("key", flat=True)) == ["k2"]


@given(st.integers(min_value=1, max_value=10_000))
def test_waits_are_bounded(failures: int) -> None:
    assert timedelta(0) < wait_after(failures) <= timedelta(hours=1)


@pytest.mark.django_db(transaction=True)
def test_the_command_does_what_is_due(done: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    ask(1, datetime(2026, 1, 1, tzinfo=NOW.tzinfo))
    call_command("work", "--once")
    assert done == [1]
    assert "Attempted 1 tasks." in capsys.readouterr().out
