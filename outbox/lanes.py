"""Work off lanes side by side: each in a thread with a connection of its own, so that none waits for another's outsiders.

One look for all of them says where something is due; an idle worker asks no more than that.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from django.db import OperationalError, close_old_connections, connection

from outbox.registry import Lane
from outbox.watch import ending
from outbox.worker import Clock, database_clock, lanes_due, periodic_due, work_off

# Seconds between two looks whether periodic work is due: none has to be sooner.
_PERIODIC_PAUSE = 10.0
Reporter = Callable[[OperationalError], None]


def _raise(error: OperationalError) -> None:
    raise error


class Lanes:
    """Works until it is stopped, or once, until nothing is due any more.

    ``pause``: seconds between looks. ``report``: hears of a database that is gone, and is gone on with; else it is raised.
    """

    def __init__(
        self,
        lanes: Collection[Lane] = tuple(Lane),
        *,
        clock: Clock = database_clock,
        pause: float = 1.0,
        report: Reporter = _raise,
    ) -> None:
        self._clock, self._pause, self._report = clock, pause, report
        # Unlike an event, it may be put into by a handler of signals, whatever that interrupts.
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.is_stopped = False
        self._periodic_at = time.monotonic()
        self._threads = [_LaneThread(lane, clock, self._tell, report) for lane in lanes]

    def stop(self) -> None:
        """Take no more tasks. Those that were begun are finished."""
        self.is_stopped = True
        self._tell()

    def work(self, is_over: Callable[[], bool] = lambda: False) -> None:
        """Go on until it is stopped, or over."""
        self._run(lambda _nothing_is_left: is_over())

    def work_once(self, limit: int = 1_000) -> int:
        """Do what is due and what follows from it, or about ``limit`` tasks of it; how many were attempted."""
        self._run(lambda nothing_is_left: nothing_is_left or self._attempted >= limit)
        return self._attempted

    @property
    def _attempted(self) -> int:
        return sum(thread.attempted for thread in self._threads)

    def _tell(self) -> None:
        self._news.put(None)

    def _run(self, is_over: Callable[[bool], bool]) -> None:
        for thread in self._threads:
            thread.start()
        try:
            while not self.is_stopped and not any(thread.error for thread in self._threads):
                # Asked before the look: what a lane left for others was there by then.
                was_idle = all(thread.is_idle for thread in self._threads)
                if is_over(not self._look() and was_idle):
                    break
                self._wait()
        finally:
            for thread in self._threads:
                thread.stop()
            for thread in self._threads:
                thread.join()
        for error in (thread.error for thread in self._threads if thread.error):
            # No lane is left without anybody: who watches over this process starts it again.
            raise error

    def _look(self) -> bool:
        """Ring for the lanes in which something is due; whether there is any."""
        try:
            due = self._due()
        except OperationalError as error:
            connection.close()
            self._report(error)
            return False
        found = [thread for thread in self._threads if thread.lane in due]
        for thread in found:
            thread.ring()
        return bool(found)

    def _due(self) -> set[Lane]:
        close_old_connections()
        now, due = self._clock(), set()
        if time.monotonic() >= self._periodic_at:
            due = {Lane.LONG} if periodic_due(now) else set()
            self._periodic_at = time.monotonic() + _PERIODIC_PAUSE
        return due | lanes_due(now)

    def _wait(self) -> None:
        """Until the next look is due, or a lane has left something for others."""
        with suppress(queue.Empty):
            self._news.get(timeout=self._pause)
            while True:
                self._news.get_nowait()


class _LaneThread(threading.Thread):
    """Works off one lane whenever it is rung for. ``error``: what it ended by, if by anything but being stopped."""

    def __init__(self, lane: Lane, clock: Clock, tell: Callable[[], None], report: Reporter) -> None:
        super().__init__(name=f"lane {lane}", daemon=True)
        self.lane, self.attempted = lane, 0
        self.error: BaseException | None = None
        self._clock, self._tell, self._report = clock, tell, report
        self._rung, self._stopping = threading.Event(), False

    @property
    def is_idle(self) -> bool:
        return not self._rung.is_set()

    def ring(self) -> None:
        self._rung.set()

    def stop(self) -> None:
        self._stopping = True
        self._rung.set()

    def run(self) -> None:
        try:
            while not self._stopping:
                self._rung.wait()
                has_done_any = self._work_off()
                self._rung.clear()
                if has_done_any:
                    self._tell()
        except BaseException as error:
            self.error = error
            self._tell()
        finally:
            connection.close()

    def _work_off(self) -> bool:
        """One at a time, so that it stops after the present one; whether there was any."""
        before = self.attempted
        try:
            while not self._stopping and not ending.is_set():
                close_old_connections()
                if not work_off(self._clock, 1, [self.lane]):
                    break
                self.attempted += 1
        except OperationalError as error:
            connection.close()
            self._report(error)
        return self.attempted > before
