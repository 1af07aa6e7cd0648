"""Who does which task, and what happens again and again. Knows no row: apps fill it as they load. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

Handler = Callable[[dict[str, Any], datetime], datetime | None]
PeriodicWork = Callable[[datetime], int]


class Lane(StrEnum):
    """What waits for what: tasks of one lane for each other, and for no other lane's.

    MONEY asks those who bill, and does what follows for cancellations and refunds. MAIL waits for the mail server, WEBHOOKS
    for receivers. SYNC is for systems of record: facts come in, removals go out. LONG works on many rows: reconciling, and all periodic work.
    """

    MONEY = "MONEY"
    MAIL = "MAIL"
    WEBHOOKS = "WEBHOOKS"
    SYNC = "SYNC"
    LONG = "LONG"


_handlers: dict[str, Handler] = {}
_lanes: dict[str, Lane] = {}
_periodic: dict[str, tuple[PeriodicWork, timedelta]] = {}


@dataclass
class RetryLater(Exception):
    """Raised by a handler that failed for now: try again, not before ``after`` if the other side said so.

    ``outage``: the other side is down or out of reach, which is no failure of the task. It is tried until it is over,
    at least every four hours, and never given up.
    """

    reason: str
    after: timedelta = timedelta(0)
    outage: bool = False


class PermanentFailure(Exception):
    """Raised by a handler when trying again cannot help: staff have to look."""


def handles(kind: str, lane: Lane) -> Callable[[Handler], Handler]:
    """Register who does tasks of a kind, and in which lane: that of whom it waits for, or of what it serves.

    The handler gets the payload and the time. It returns None when the task is done, or when to go on with it;
    it raises RetryLater or PermanentFailure. It may run twice: its own writes decide whether something is left to do.
    """

    def register(handler: Handler) -> Handler:
        _handlers[kind], _lanes[kind] = handler, lane
        return handler

    return register


def periodic(interval: timedelta) -> Callable[[PeriodicWork], PeriodicWork]:
    """Register periodic work: it looks at the rows, so it catches up by itself after downtime. Returns how many."""

    def register(work: PeriodicWork) -> PeriodicWork:
        _periodic[work.__name__] = (work, interval)
        return work

    return register


def handler_of(kind: str) -> Handler:
    """Who does tasks of this kind. Raises PermanentFailure for a kind that nobody does (any more)."""
    if kind not in _handlers:
        raise PermanentFailure(f"nobody does {kind}")
    return _handlers[kind]


def lane_of(kind: str) -> Lane:
    """Where tasks of this kind wait. What nobody does (any more) is soon given up, wherever it waits."""
    return _lanes.get(kind, Lane.MONEY)


def periodic_work() -> dict[str, tuple[PeriodicWork, timedelta]]:
    """All periodic work by name, with its interval."""
    return _periodic
