"""How often a caller may ask: fixed windows, shared across processes while they are kept in Redis."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from threading import Lock

from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from common.store import HASTE, shared


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """Where a caller stands after asking once more. ``reset_at``: Unix seconds."""

    allowed: bool
    limit: int
    remaining: int
    reset_at: float


def hit_rate_limit(rate: str, *who: str) -> RateLimitStatus:
    """Count one request of ``who`` against ``rate``, for example "600/minute"."""
    url = settings.WAYOUT_REDIS_URL
    if url:
        return shared(lambda: _hit(url, rate, who), lambda: _hit("", rate, who))
    return _hit("", rate, who)


def _hit(redis_url: str, rate: str, who: tuple[str, ...]) -> RateLimitStatus:
    item, limiter = _item(rate), _limiter(redis_url)
    allowed = limiter.hit(item, *who)
    stats = limiter.get_window_stats(item, *who)
    return RateLimitStatus(allowed, item.amount, max(0, stats.remaining), stats.reset_time)


@cache
def _item(rate: str) -> RateLimitItem:
    return parse(rate)


@cache
def _limiter(redis_url: str) -> FixedWindowRateLimiter:
    """Without Redis each process counts for itself; with it they count together."""
    return FixedWindowRateLimiter(storage_from_string(redis_url, **HASTE) if redis_url else ProcessCounts())


class ProcessCounts(Storage):
    """The counts of this process.

    The one of limits starts a thread at nearly every hit, to forget windows that are over: a twentieth of a small answer,
    and among busy threads a wait for the interpreter. This one forgets them once a minute, while it counts.
    """

    STORAGE_SCHEME = None
    base_exceptions = ()

    def __init__(self) -> None:
        super().__init__()
        self._lock = Lock()
        self.windows: dict[str, tuple[int, float]] = {}  # the count, and when it ends, in Unix seconds
        self._forget_at = 0.0

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count in the window of the key, or in a new one that ends in ``expiry`` seconds."""
        now = time.time()
        with self._lock:
            if now >= self._forget_at:
                self.windows = {of: window for of, window in self.windows.items() if window[1] > now}
                self._forget_at = now + 60
            count, ends_at = self.windows.get(key, (0, 0.0))
            count, ends_at = (count, ends_at) if ends_at > now else (0, now + expiry)
            self.windows[key] = (count + amount, ends_at)
            return count + amount

    def get(self, key: str) -> int:
        """The count of the window that is open."""
        count, ends_at = self.windows.get(key, (0, 0.0))
        return count if ends_at > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """When the window ends, in Unix seconds; now, when none is open."""
        return max(self.windows.get(key, (0, 0.0))[1], time.time())

    def check(self) -> bool:
        """It is always there."""
        return True

    def reset(self) -> int:
        """Forget everything; returns how much that was."""
        with self._lock:
            forgotten, self.windows = len(self.windows), {}
        return forgotten

    def clear(self, key: str) -> None:
        with self._lock:
            self.windows.pop(key, None)
