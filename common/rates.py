"""How often a caller may ask: fixed windows, shared across processes while they are kept in Redis."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from django.conf import settings
from limits import RateLimitItem, parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from common.store import HASTE, shared


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands after asking once more. ``reset_at``: Unix seconds."""

    allowed: bool
    limit: int
    remaining: int
    reset_at: float


def spend(rate: str, *who: str) -> Standing:
    """Count one request of ``who`` against ``rate``, for example "600/minute"."""
    url = settings.WAYOUT_REDIS_URL
    if url:
        return shared(lambda: _hit(url, rate, who), lambda: _hit("", rate, who))
    return _hit("", rate, who)


def _hit(redis_url: str, rate: str, who: tuple[str, ...]) -> Standing:
    item, limiter = _item(rate), _limiter(redis_url)
    allowed = limiter.hit(item, *who)
    stats = limiter.get_window_stats(item, *who)
    return Standing(allowed, item.amount, max(0, stats.remaining), stats.reset_time)


@cache
def _item(rate: str) -> RateLimitItem:
    return parse(rate)


@cache
def _limiter(redis_url: str) -> FixedWindowRateLimiter:
    """In memory, each process counts for itself: with Redis they count together."""
    storage = storage_from_string(redis_url, **HASTE) if redis_url else storage_from_string("memory://")
    return FixedWindowRateLimiter(storage)
