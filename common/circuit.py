"""Leave alone for a moment what has just failed, so that not everybody waits for it in turn."""

from __future__ import annotations

import threading
from time import monotonic


class Circuit:
    """Opens with a failure. After ``pause`` seconds one caller at a time looks whether it works again."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._until: float | None = None
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether it failed, and has not worked since."""
        return self._until is not None

    def allows(self) -> bool:
        with self._lock:
            if self._until is None:
                return True
            now = monotonic()
            if now < self._until:
                return False
            self._until = now + self._pause
            return True

    def failed(self) -> None:
        self._until = monotonic() + self._pause

    def worked(self) -> None:
        self._until = None
