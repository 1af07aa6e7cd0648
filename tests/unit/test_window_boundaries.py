"""The first and the last window that can be chosen."""

from __future__ import annotations

from datetime import time, timedelta

from desk.windows import Hours, windows
from tests.builders import SOFIA, at

DESK = Hours(SOFIA, "BG", time(9), time(18))
WINDOW = at("2026-11-25T15:00:00+02:00")
TICK = timedelta(microseconds=1)


def test_a_window_can_be_chosen_until_half_an_hour_before_it() -> None:
    notice = timedelta(minutes=30)
    assert WINDOW in list(windows(DESK, SOFIA, WINDOW - notice, 1))
    assert WINDOW not in list(windows(DESK, SOFIA, WINDOW - notice + TICK, 1))


def test_a_window_can_be_chosen_from_thirty_days_before_it() -> None:
    horizon = timedelta(days=30)
    assert WINDOW in list(windows(DESK, SOFIA, WINDOW - horizon, 40))
    assert WINDOW not in list(windows(DESK, SOFIA, WINDOW - horizon - TICK, 40))
