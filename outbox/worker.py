"""Do what is due: claim with a lease, keep it alive, finish only what is still ours."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from outbox.mail import queue_staff_mail
from outbox.models import PeriodicRun, Task, TaskStatus
from outbox.registry import Lane, PermanentFailure, RetryLater, handler_of, lane_of, periodic_work
from outbox.watch import ending, turns, watched

logger = logging.getLogger("wayout.outbox")
Clock = Callable[[], datetime]

LEASE = timedelta(seconds=60)
MAX_FAILURES, MAX_CRASHES = 12, 3
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=2), timedelta(hours=1)
# Somebody who is down for long is asked less often, but never given up.
_LONGEST_OUTAGE_WAIT = timedelta(hours=4)
_INTERRUPTED = "interrupted: it may have happened"
_ENDS_WORKERS = "it ends its worker each time"
_STUCK = _(
    "%(key)s ended its worker %(count)d times and is left alone now; everything else goes on. The workers' log says why."
    " When the cause is mended, choose it in Admin > Tasks: Do again now."
)
_KEPT_FOR = timedelta(days=30)
# What an attempt leaves behind that came to an end of its own.
_FREE: dict[str, Any] = {"leased_until": None, "failures": 0, "outages": 0, "crashes": 0, "failing_since": None}


def database_clock() -> datetime:
    """The time of the database: workers on machines whose clocks disagree go by one clock."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


def work_off(clock: Clock = database_clock, limit: int = 1_000, lanes: Collection[Lane] = tuple(Lane)) -> int:
    """Do up to ``limit`` tasks of these lanes, one after another; how many were attempted. Periodic work is in LONG."""
    if Lane.LONG in lanes:
        run_periodic(clock)
    attempted = 0
    while attempted < limit and not ending.is_set() and _do_one(clock, lanes):
        attempted += 1
    return attempted


def _do_one(clock: Clock, lanes: Collection[Lane]) -> bool:
    """Do a task, if one is due. One that has ended a worker is done alone: nothing else dies with it the next time."""
    with turns.taken(alone=False):
        task = claim(clock(), lanes)
        if task is None:
            return False
        if not task.crashes:
            run(task, clock)
            return True
        # Whatever ends this worker meanwhile is not this one.
        _ours(task).update(leased_until=None)
    with turns.taken(alone=True):
        if again := claim(clock(), lanes, task.pk):
            run(again, clock)
    return True


def lanes_due(now: datetime) -> set[Lane]:
    """The lanes in which a task is due: one statement, that costs the same however many are."""
    is_first = reduce(or_, (Q(pk=Subquery(_due(now, [lane]).values("pk")[:1])) for lane in Lane))
    return {Lane(lane) for lane in Task.objects.filter(is_first).values_list("lane", flat=True)}


def claim(now: datetime, lanes: Collection[Lane] = tuple(Lane), pk: int | None = None) -> Task | None:
    """Take the task of these lanes that has waited longest, or this one. On PostgreSQL workers skip what others are taking.

    One whose lease ran out ended its worker: it is taken again, unless it must not happen twice or has done that too
    often. One in a lane that is not its own is from an earlier version, and put right.
    """
    due = _due(now, lanes) if pk is None else _due(now, lanes).filter(pk=pk)
    while True:
        with transaction.atomic():
            task = due.select_for_update(skip_locked=True).first()
            if task is None:
                return None
            if lane_of(task.kind) not in lanes:
                _ours(task).update(lane=lane_of(task.kind))
                continue
            crashed = task.leased_until is not None
            task.fence += 1
            if crashed:
                task.crashes, task.failing_since = task.crashes + 1, task.failing_since or now
            task.leased_until = now + LEASE
            task.save(update_fields=["fence", "crashes", "leased_until", "failing_since"])
            if crashed and task.at_most_once:
                _give_up(task, _INTERRUPTED, now)
            elif task.crashes >= MAX_CRASHES:
                _give_up(task, _ENDS_WORKERS, now, TaskStatus.STUCK)
                values = {"key": task.key, "count": task.crashes}
                queue_staff_mail(key=f"stuck:{task.pk}:{task.fence}", sentence=_STUCK, values=values, now=now)
            else:
                return task


def run(task: Task, clock: Clock) -> None:
    """Let the handler do a claimed task, and write down what came of it if the row is still ours."""
    try:
        with _kept_alive(task, clock), watched(task):
            next_at = handler_of(task.kind)(task.payload, clock())
    except PermanentFailure as error:
        _give_up(task, str(error), clock())
    except RetryLater as error:
        if error.outage:
            _wait_out(task, error, clock())
        else:
            _retry(task, error.reason, error.after, clock())
    except Exception as error:
        logger.exception("task %s failed", task.key)
        if task.at_most_once:
            _give_up(task, _INTERRUPTED, clock())
            return
        _retry(task, type(error).__name__, timedelta(0), clock())
    else:
        if next_at is None:
            _ours(task).update(status=TaskStatus.DONE, finished_at=clock(), **_FREE)
        else:
            _ours(task).update(run_at=next_at, **_FREE)


def wait_after(tries: int, at_most: timedelta = _LONGEST_WAIT) -> timedelta:
    """How long to wait after that many tries in a row that came to nothing: doubling, half of it by chance."""
    longest = min(at_most, _FIRST_WAIT * 2 ** min(tries, 20))
    wait: timedelta = longest * (0.5 + random.random() / 2)  # noqa: S311 (spreads retries, guards nothing)
    return wait


def run_periodic(clock: Clock = database_clock) -> None:
    """Run the periodic work that is due; of several workers one runs each piece."""
    for name in periodic_due(clock()):
        work, interval = periodic_work()[name]
        now = clock()
        if _claim_run(name, now, now + interval):
            try:
                count = work(now)
            except Exception:
                logger.exception("periodic work %s failed", name)
            else:
                logger.log(logging.INFO if count else logging.DEBUG, "periodic work %s: %d", name, count)


def periodic_due(now: datetime) -> list[str]:
    """The periodic work that is due, found by one statement."""
    known = dict(PeriodicRun.objects.values_list("name", "next_at"))
    return [
        name
        for name, (_work, interval) in periodic_work().items()
        if name not in known or not now < known[name] <= now + 2 * interval
    ]


def forget_done(now: datetime) -> int:
    """Drop tasks that were done 30 days ago, and mail that was given up as long ago: it names whom it was for."""
    over = Q(status=TaskStatus.DONE) | Q(status=TaskStatus.GIVEN_UP, lane=Lane.MAIL)
    return Task.objects.filter(over, finished_at__lt=now - _KEPT_FOR).delete()[0]


def _claim_run(name: str, now: datetime, next_at: datetime) -> bool:
    PeriodicRun.objects.bulk_create([PeriodicRun(name=name, next_at=now)], ignore_conflicts=True)
    # Further ahead than one interval was said by a clock that was wrong; than two, for workers whose looks at it cross.
    is_due = Q(next_at__lte=now) | Q(next_at__gt=next_at + (next_at - now))
    return bool(PeriodicRun.objects.filter(is_due, name=name).update(next_at=next_at))


def _due(now: datetime, lanes: Collection[Lane]) -> QuerySet[Task]:
    """Those that nobody holds. A lease further ahead than any can be is of a clock that was wrong."""
    free = Q(leased_until=None) | Q(leased_until__lte=now) | Q(leased_until__gt=now + 2 * LEASE)
    waiting = Task.objects.filter(free, status=TaskStatus.WAITING, run_at__lte=now, lane__in=lanes)
    return waiting.order_by("run_at", "pk")


def _ours(task: Task) -> QuerySet[Task]:
    return Task.objects.filter(pk=task.pk, fence=task.fence)


def _retry(task: Task, reason: str, after: timedelta, now: datetime) -> None:
    failures = task.failures + 1
    if failures >= MAX_FAILURES:
        _give_up(task, reason, now)
        return
    run_at = now + max(after, wait_after(failures))
    _ours(task).update(**{**_FREE, **_failing(task, reason, now), "run_at": run_at, "failures": failures})


def _wait_out(task: Task, error: RetryLater, now: datetime) -> None:
    outages = task.outages + 1
    run_at = now + max(error.after, wait_after(outages, _LONGEST_OUTAGE_WAIT))
    counts = {"failures": task.failures, "outages": outages}
    _ours(task).update(**{**_FREE, **_failing(task, error.reason, now), **counts, "run_at": run_at})


def _give_up(task: Task, reason: str, now: datetime, status: TaskStatus = TaskStatus.GIVEN_UP) -> None:
    logger.error("task %s is %s: %s", task.key, status.replace("_", " ").lower(), reason)
    _ours(task).update(status=status, leased_until=None, finished_at=now, **_failing(task, reason, now))


def _failing(task: Task, reason: str, now: datetime) -> dict[str, Any]:
    return {"last_failure": reason[:200], "failing_since": task.failing_since or now}


@contextmanager
def _kept_alive(task: Task, clock: Clock) -> Iterator[None]:
    """Extend the lease while the handler works, from a thread with a connection of its own."""
    done = threading.Event()

    def extend() -> None:
        try:
            while not done.wait(LEASE.total_seconds() / 3):
                close_old_connections()
                with suppress(DatabaseError):  # the next one may do
                    _ours(task).update(leased_until=clock() + LEASE)
        finally:
            connection.close()

    heart = threading.Thread(target=extend, daemon=True)
    heart.start()
    try:
        yield
    finally:
        done.set()
        heart.join()
