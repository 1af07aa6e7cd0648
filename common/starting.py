"""What is said as a process starts: why it does not, and in the log, without keeping it from that, what is wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.db import connection

logger = logging.getLogger("wayout.start")
Look = Callable[[], Iterable[str]]
_looks: list[Look] = []


@contextmanager
def refused_in_a_sentence() -> Iterator[None]:
    """End the process where it is set up wrongly, with what to set: how we came to look at it helps nobody."""
    try:
        yield
    except ImproperlyConfigured as error:
        raise SystemExit(f"Wayout does not start. {error}") from None


def warns_at_start(look: Look) -> Look:
    """Register what looks at settings or rows, and yields a sentence for whoever runs this for what is wrong there."""
    _looks.append(look)
    return look


def log_warnings() -> None:
    """Say all of it. A database that is away, empty or of another version has its own ways to be noticed."""
    try:
        for look in _looks:
            for text in look():
                logger.warning("%s", text)
    except Exception as error:
        logger.debug("what is on record was not looked at: %s", type(error).__name__)


def log_warnings_beside() -> None:
    """The same from a thread: nobody waits for what is only said, and a database that is away takes its time."""

    def say() -> None:
        log_warnings()
        connection.close()

    threading.Thread(target=say, name="warnings", daemon=True).start()
