"""What one task can do to the others of its process: nothing that hangs holds it for ever, and turns to be alone in it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from django.db import DatabaseError, connection
from django.db.models import F

from outbox.models import Task

logger = logging.getLogger("wayout.outbox")

# Everything that a handler waits for ends sooner. One that works longer ends its worker: nothing holds a lease for ever.
LONGEST = timedelta(seconds=120)
# Seconds that the others have to finish: more than any call to the outside takes.
_GRACE = 30.0

# Set while this process only finishes what it began.
ending = threading.Event()
# What it is doing.
_begun: set[Task] = set()


def _exit() -> None:
    """End this process at once, whatever it is doing; who watches over it starts it again."""
    os._exit(os.EX_TEMPFAIL)


# How a worker ends that cannot go on.
leave: Callable[[], None] = _exit


class Turns:
    """Many at a time, or one alone. Who wants to be alone comes next. They are waited for without a lease."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = self._asked = 0
        self._is_alone = False

    @contextmanager
    def taken(self, *, alone: bool) -> Iterator[None]:
        with self._changed:
            if alone:
                self._asked += 1
                self._changed.wait_for(lambda: not self._taken)
                self._asked -= 1
                self._is_alone = True
            else:
                self._changed.wait_for(lambda: not self._is_alone and not self._asked)
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._is_alone = False
                self._changed.notify_all()


turns = Turns()


@contextmanager
def watched(task: Task) -> Iterator[None]:
    """End this process if it takes too long."""
    end = threading.Timer(LONGEST.total_seconds(), _end, [task])
    end.daemon = True
    _begun.add(task)
    end.start()
    try:
        yield
    finally:
        end.cancel()
        _begun.discard(task)


def _end(culprit: Task) -> None:
    """Its lease stays as a dead worker leaves it: the next one counts a crash. The others are let go without one."""
    logger.critical("task %s took more than %d seconds: its worker ends", culprit.key, LONGEST.total_seconds())
    ending.set()
    # A database that is silent keeps nobody here.
    letting_go = threading.Thread(target=_let_go_of_others, args=[culprit], daemon=True)
    letting_go.start()
    letting_go.join(_GRACE + 5)
    try:
        leave()
    finally:
        ending.clear()


def _let_go_of_others(culprit: Task) -> None:
    """Wait for what can still be finished. The rest is another worker's now, but for mail that may have left."""
    give_up_at = time.monotonic() + _GRACE
    while time.monotonic() < give_up_at and _others(culprit):
        time.sleep(0.05)
    try:
        for task in _others(culprit):
            if not task.at_most_once:
                with suppress(DatabaseError):
                    Task.objects.filter(pk=task.pk, fence=task.fence).update(leased_until=None, fence=F("fence") + 1)
    finally:
        connection.close()


def _others(culprit: Task) -> set[Task]:
    return _begun.copy() - {culprit}
