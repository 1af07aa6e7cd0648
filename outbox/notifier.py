"""Wake a worker through the broker, from a thread of its own: who committed a change never waits for a broker.

A ring while another is under way is one more, however many there are. What a process that ends, or a broker that is
away, leaves untold costs at most the minute until the beat looks by itself.
"""

from __future__ import annotations

import os
import threading
import time

# Seconds between two rings: a busy process is not kept busy by them.
_PAUSE = 0.05

_changed = threading.Condition()
_thread: threading.Thread | None = None
_asked = _notified = 0


def notify_workers() -> None:
    """Have a worker woken soon. Takes no time."""
    global _asked, _thread
    with _changed:
        _asked += 1
        if _thread is None:
            _thread = threading.Thread(target=_notify_on, name="outbox notifier", daemon=True)
            _thread.start()
        _changed.notify_all()


def is_anybody_to_notify() -> bool:
    """Whether somebody is still to be told."""
    return _notified < _asked


def _notify_on() -> None:
    global _notified
    while True:
        with _changed:
            _changed.wait_for(is_anybody_to_notify)
            asked = _asked
        _notify()
        _notified = asked
        time.sleep(_PAUSE)


def _notify() -> None:
    from outbox.broker import call  # noqa: PLC0415 (Celery is loaded only where there is a broker, by this thread)

    call()


def _in_a_child() -> None:
    """The thread stays with the parent; so may a lock that somebody held at that instant."""
    global _changed, _thread, _asked, _notified
    _changed, _thread, _asked, _notified = threading.Condition(), None, 0, 0


os.register_at_fork(after_in_child=_in_a_child)
