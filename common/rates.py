"""How often a caller may ask: fixed windows, shared across processes while they are kept in Redis."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import ceil
from threading import Lock
from typing import TypeVar

from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from common.store import client_options, shared

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """Where a caller stands after asking once more. ``reset_at``: Unix seconds."""

    allowed: bool
    limit: int
    remaining: int
    reset_at: float

    @property
    def retry_after(self) -> float:
        """Seconds until the window ends."""
        return max(1.0, self.reset_at - time.time())


def hit_rate_limit(rate: str, *who: str) -> RateLimitStatus:
    """Count one request of ``who`` against ``rate``, for example "600/minute"."""
    item = _item(rate)

    def hit(limiter: FixedWindowRateLimiter) -> RateLimitStatus:
        allowed = limiter.hit(item, *who)
        stats = limiter.get_window_stats(item, *who)
        return RateLimitStatus(allowed, item.amount, max(0, stats.remaining), stats.reset_time)

    return _where_counted(hit)


def count_in(seconds: float, *who: str) -> tuple[int, float]:
    """Count one more of ``who`` in the window that its first opens for so many seconds; and for how long it is open yet."""
    key = "/".join(who)

    def count(limiter: FixedWindowRateLimiter) -> tuple[int, float]:
        counted = limiter.storage.incr(key, ceil(seconds))
        return counted, max(0.0, limiter.storage.get_expiry(key) - time.time())

    return _where_counted(count)


def time_left(*who: str) -> float:
    """For how many seconds the window of ``who`` is open yet; 0 when none is."""
    key = "/".join(who)

    def look(limiter: FixedWindowRateLimiter) -> float:
        storage = limiter.storage
        return max(1.0, storage.get_expiry(key) - time.time()) if storage.get(key) else 0.0

    return _where_counted(look)


def forget_count(*who: str) -> None:
    """Let the next of ``who`` be the first of a new window."""
    _where_counted(lambda limiter: limiter.storage.clear("/".join(who)))


def _where_counted(do: Callable[[FixedWindowRateLimiter], T]) -> T:
    url = settings.WAYOUT_REDIS_URL
    return shared(lambda: do(_limiter(url)), lambda: do(_limiter(""))) if url else do(_limiter(""))


@cache
def _item(rate: str) -> RateLimitItem:
    return parse(rate)


@cache
def _limiter(redis_url: str) -> FixedWindowRateLimiter:
    """Without Redis each process counts for itself; with it they count together."""
    return FixedWindowRateLimiter(
        storage_from_string(redis_url, **client_options(redis_url)) if redis_url else ProcessCounts()
    )


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
