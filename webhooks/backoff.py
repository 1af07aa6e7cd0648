"""When to try again. Pure.

Two clocks: a delivery that alone is refused (4xx) waits longer and longer, up to a day, and is given up after some
three days; a receiver that is down (no answer, 3xx, 5xx) makes all its deliveries wait for one probe at most ten
minutes away, so that a dead receiver costs a worker one request now and then, and one that is back has everything
soon.
"""

from __future__ import annotations

import random
from datetime import timedelta

_OF_DELIVERY = [
    timedelta(seconds=5),
    timedelta(seconds=30),
    *(timedelta(minutes=minutes) for minutes in (2, 10, 30)),
    *(timedelta(hours=hours) for hours in (1, 2, 5, 10, 14, 20, 24)),
]
_OF_RECEIVER = [timedelta(seconds=seconds) for seconds in (5, 15, 30, 60, 120, 300, 600)]
LONGEST_ASKED_FOR = timedelta(days=1)
DISABLE_AFTER = timedelta(days=3)


def wait_of_delivery(attempts: int) -> timedelta | None:
    """How long a delivery waits after that many attempts that were refused; None: it is given up."""
    return _spread(_OF_DELIVERY[attempts - 1]) if attempts <= len(_OF_DELIVERY) else None


def wait_of_receiver(failures: int) -> timedelta:
    """How long a receiver is left alone after that many failures in a row."""
    return _spread(_OF_RECEIVER[min(failures, len(_OF_RECEIVER)) - 1])


def _spread(wait: timedelta) -> timedelta:
    """A tenth more by chance, so that not everybody comes at once."""
    spread: timedelta = wait * (1 + random.random() / 10)  # noqa: S311 (spreads retries, guards nothing)
    return spread
