"""Requests are counted in windows, by a process for itself."""

from __future__ import annotations

import threading
from datetime import timedelta

import time_machine

from common.rates import ProcessCounts
from tests.builders import NOW

LATER = timedelta(seconds=1)


def test_a_window_ends_and_another_begins() -> None:
    counts = ProcessCounts()
    with time_machine.travel(NOW, tick=False) as clock:
        assert [counts.incr("a", 60) for _ in range(3)] == [1, 2, 3]
        assert (counts.incr("b", 10, 5), counts.get("a"), counts.get("c")) == (5, 3, 0)
        assert counts.get_expiry("a") == NOW.timestamp() + 60
        assert counts.get_expiry("c") == NOW.timestamp()
        clock.move_to(NOW + 60 * LATER)
        assert (counts.get("a"), counts.get_expiry("a")) == (0, NOW.timestamp() + 60)
        assert counts.incr("a", 60) == 1
        assert counts.get_expiry("a") == NOW.timestamp() + 120


def test_windows_that_are_over_are_forgotten() -> None:
    counts = ProcessCounts()
    with time_machine.travel(NOW, tick=False) as clock:
        for number in range(100):
            counts.incr(f"{number}", 30)
        counts.incr("long", 3600)
        clock.move_to(NOW + 61 * LATER)
        counts.incr("new", 60)
        assert set(counts.windows) == {"long", "new"}
        counts.clear("new")
        assert (counts.reset(), counts.windows) == (1, {})


def test_counting_starts_no_threads_and_misses_nobody() -> None:
    counts = ProcessCounts()

    def count() -> None:
        for _ in range(2_000):
            counts.incr("a", 60)

    before = threading.active_count()
    count()
    assert threading.active_count() == before
    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.get("a") == 10_000
    assert counts.check()
