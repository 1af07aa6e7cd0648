"""How long a worker holds a task, how long a failed one waits, and after how many failures it is given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from outbox import registry, worker
from outbox.models import Task
from outbox.queue import enqueue
from outbox.registry import PermanentFailure, RetryLater
from outbox.worker import LEASE, claim, run, wait_after, work_off
from tests.builders import NOW

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
Does = Callable[[Callable[[dict[str, Any], datetime], datetime | None]], None]


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Does:
    """Says what handles the kind "note"; there is one task of it, and no periodic work."""
    monkeypatch.setattr(registry, "_periodic", {})
    enqueue(kind="note", key="k", payload={}, run_at=NOW, now=NOW)
    return lambda handler: monkeypatch.setattr(registry, "_handlers", {"note": handler})


def fails(error: Exception) -> Callable[[dict[str, Any], datetime], None]:
    def handler(payload: dict[str, Any], now: datetime) -> None:
        raise error

    return handler


@pytest.mark.django_db(transaction=True)
def test_the_worker_extends_the_lease_while_its_handler_works(does: Does, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LEASE", timedelta(seconds=0.3))
    now, taken_meanwhile = [NOW], []

    def slow(payload: dict[str, Any], _: datetime) -> None:
        at_first = Task.objects.get().leased_until
        now[0] += timedelta(seconds=0.2)
        give_up_at = time.monotonic() + 5
        while Task.objects.get().leased_until == at_first and time.monotonic() < give_up_at:
            time.sleep(0.01)
        # What was leased at first is over by now.
        taken_meanwhile.append(claim(NOW + timedelta(seconds=0.4)))

    does(slow)
    assert work_off(lambda: now[0]) == 1
    assert taken_meanwhile == [None]
    assert Task.objects.get().status == "DONE"


@pytest.mark.django_db(transaction=True)
def test_a_lease_is_extended_three_times_before_it_ends_and_no_more_once_the_handler_is_done(
    does: Does, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LEASE", timedelta(seconds=0.6))
    beats: list[float] = []

    def clock() -> datetime:
        if threading.current_thread() is not threading.main_thread():
            beats.append(time.monotonic())
        return NOW

    began = time.monotonic()
    does(lambda *_: time.sleep(0.5))
    work_off(clock)
    assert len(beats) == 2
    assert beats[0] - began >= 0.2
    assert Task.objects.get().leased_until is None
    time.sleep(0.3)
    assert len(beats) == 2


def test_a_lease_is_over_at_its_last_instant_and_not_before(does: Does) -> None:
    assert claim(NOW)
    assert Task.objects.get().leased_until == NOW + timedelta(seconds=60)
    assert claim(NOW + LEASE - SECOND) is None
    assert claim(NOW + LEASE)


def test_a_lease_is_believed_up_to_twice_its_length_and_not_beyond(does: Does) -> None:
    Task.objects.update(leased_until=NOW + 2 * LEASE + SECOND)
    assert claim(NOW + SECOND) is None
    assert claim(NOW)


def test_a_task_is_taken_at_the_instant_it_is_due_and_not_before(does: Does) -> None:
    assert claim(NOW - timedelta(microseconds=1)) is None
    assert claim(NOW)


@pytest.mark.parametrize(
    "error", [RuntimeError("secret"), RetryLater("busy"), RetryLater("unreachable", outage=True)], ids=str
)
@pytest.mark.parametrize(("before", "least", "longest"), [(0, 2, 4), (1, 4, 8), (5, 64, 128), (9, 1024, 2048)])
def test_a_failure_waits_twice_as_long_as_the_one_before_half_of_it_by_chance(
    does: Does, error: Exception, before: int, least: int, longest: int
) -> None:
    does(fails(error))
    Task.objects.update(failures=before, outages=before)
    work_off(lambda: NOW)
    waited = Task.objects.get().run_at - NOW
    assert timedelta(seconds=least) <= waited <= timedelta(seconds=longest)


@pytest.mark.parametrize(
    ("error", "before", "longest"),
    [(RuntimeError("secret"), 10, 1), (RetryLater("busy"), 10, 1), (RetryLater("down", outage=True), 5_000, 4)],
    ids=str,
)
def test_a_wait_has_an_end_and_an_outages_is_longer(does: Does, error: Exception, before: int, longest: int) -> None:
    does(fails(error))
    Task.objects.update(failures=before, outages=before)
    work_off(lambda: NOW)
    assert timedelta(hours=longest / 2) <= Task.objects.get().run_at - NOW <= timedelta(hours=longest)


def test_half_of_a_wait_is_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    for chance, wait in ((0, 2), (0.5, 3), (1, 4)):
        monkeypatch.setattr(worker.random, "random", lambda chance=chance: chance)
        assert wait_after(1) == timedelta(seconds=wait)


@pytest.mark.parametrize("error", [RuntimeError("secret"), RetryLater("busy")], ids=str)
def test_the_twelfth_failure_in_a_row_is_the_last(does: Does, error: Exception) -> None:
    does(fails(error))
    tried, at = 0, NOW
    while Task.objects.get().status == "WAITING":
        tried += work_off(lambda at=at: at)
        at += timedelta(hours=2)
    assert tried == 12
    task = Task.objects.get()
    assert (task.status, task.finished_at, task.leased_until) == ("GIVEN_UP", at - timedelta(hours=2), None)


def test_the_third_worker_that_ends_over_an_effect_is_the_last(does: Does) -> None:
    at, taken = NOW, 0
    while (task := claim(at)) and task.key == "k":
        taken += 1
        at += LEASE
    assert (taken, Task.objects.get(key="k").status) == (3, "STUCK")


@pytest.mark.parametrize("outage", [False, True])
def test_as_much_of_a_failure_is_kept_as_there_is_room_for(does: Does, outage: bool) -> None:
    does(fails(RetryLater("x" * 300, outage=outage)))
    work_off(lambda: NOW)
    assert Task.objects.get().last_failure == "x" * 200


def test_what_was_given_up_is_never_forgotten(does: Does) -> None:
    does(fails(PermanentFailure("x" * 300)))
    work_off(lambda: NOW)
    assert worker.forget_done(NOW + timedelta(days=400)) == 0
    assert Task.objects.get().last_failure == "x" * 200


def test_a_task_that_was_done_is_forgotten_after_its_thirtieth_day(does: Does) -> None:
    does(lambda *_: None)
    work_off(lambda: NOW)
    assert worker.forget_done(NOW + timedelta(days=30)) == 0
    assert worker.forget_done(NOW + timedelta(days=30, seconds=1)) == 1


def test_each_piece_of_periodic_work_has_an_interval_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(registry, "_periodic", {
        "often": (lambda _: ran.append("often") or 1, timedelta(minutes=1)),
        "seldom": (lambda _: ran.append("seldom") or 1, timedelta(minutes=2)),
    })  # fmt: skip
    for minute in range(5):
        worker.run_periodic(lambda minute=minute: NOW + timedelta(minutes=minute))
    assert (ran.count("often"), ran.count("seldom")) == (5, 3)


def test_the_clock_of_the_database_is_right_and_goes_on_within_a_transaction() -> None:
    first = worker.database_clock()
    time.sleep(0.001)
    second = worker.database_clock()
    assert first < second
    assert abs(second - timezone.now()) < timedelta(minutes=1)


def test_what_must_not_happen_twice_is_given_up_when_it_fails_in_a_way_that_nobody_expected(does: Does) -> None:
    Task.objects.update(at_most_once=True)
    does(fails(RuntimeError("secret")))
    work_off(lambda: NOW + SECOND)
    task = Task.objects.get()
    assert (task.status, task.last_failure) == ("GIVEN_UP", "interrupted: it may have happened")
    assert (task.finished_at, task.leased_until) == (NOW + SECOND, None)


def test_periodic_work_comes_first_and_everybody_is_told_the_time(does: Does, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(registry, "_periodic", {"sweep": (lambda now: told.append(now) or 0, timedelta(minutes=1))})
    does(lambda payload, now: told.append((payload, now)))
    work_off(lambda: NOW + SECOND)
    assert told == [NOW + SECOND, ({}, NOW + SECOND)]


def test_a_turn_ends_after_as_many_tasks_as_were_asked_for(does: Does) -> None:
    for n in range(2):
        enqueue(kind="note", key=f"k{n}", payload={}, run_at=NOW, now=NOW)
    does(lambda *_: None)
    assert (work_off(lambda: NOW, 2), work_off(lambda: NOW, 2), work_off(lambda: NOW, 2)) == (2, 1, 0)


def test_what_is_hopeless_is_given_up_at_once_and_keeps_when(does: Does) -> None:
    does(fails(PermanentFailure("never")))
    work_off(lambda: NOW + SECOND)
    task = Task.objects.get()
    assert (task.status, task.finished_at, task.leased_until) == ("GIVEN_UP", NOW + SECOND, None)


def test_who_lost_an_effect_writes_nothing_about_it_while_another_works_on_it(does: Does) -> None:
    does(lambda *_: None)
    slow, other = claim(NOW), claim(NOW + LEASE)
    assert slow
    assert other
    run(slow, lambda: NOW + LEASE)
    task = Task.objects.get()
    assert (task.status, task.leased_until, task.fence) == ("WAITING", NOW + 2 * LEASE, other.fence)
    run(other, lambda: NOW + LEASE)
    assert Task.objects.get().status == "DONE"


def test_who_did_one_effect_writes_nothing_about_another_that_was_taken_as_often(does: Does) -> None:
    enqueue(kind="note", key="other", payload={}, run_at=NOW, now=NOW)
    does(lambda *_: None)
    first, second = claim(NOW), claim(NOW)
    assert first
    assert second
    assert first.fence == second.fence
    run(first, lambda: NOW)
    assert Task.objects.get(pk=first.pk).status == "DONE"
    assert Task.objects.get(pk=second.pk).status == "WAITING"


def test_a_handler_that_says_when_to_go_on_is_asked_again_then_with_everything_forgotten(does: Does) -> None:
    Task.objects.update(failures=3, outages=2, crashes=1)
    does(lambda *_: NOW + timedelta(hours=5))
    work_off(lambda: NOW)
    task = Task.objects.get()
    assert (task.status, task.run_at, task.leased_until) == ("WAITING", NOW + timedelta(hours=5), None)
    assert (task.failures, task.outages, task.crashes) == (0, 0, 0)


@pytest.mark.parametrize(("at_most_once", "status"), [(True, "GIVEN_UP"), (False, "STUCK")])
def test_what_ended_its_workers_keeps_when_it_was_given_up(does: Does, at_most_once: bool, status: str) -> None:
    Task.objects.update(at_most_once=at_most_once, crashes=2)
    assert claim(NOW)
    claim(NOW + LEASE)
    task = Task.objects.get(key="k")
    assert (task.status, task.finished_at, task.leased_until) == (status, NOW + LEASE, None)
