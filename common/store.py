"""Redis as what all processes count and remember in: where it is away, each does so for itself, and nobody waits long.

Redis is imported here, as the process starts: limits and Django would import it within the first requests, and limits
takes a module for imported that another thread is still importing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partialmethod
from typing import Any, TypeVar

from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from prometheus_client import Counter
from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.circuit import Circuit

logger = logging.getLogger("wayout.store")
T = TypeVar("T")

# For its clients: half a second for connecting and for each answer, in one try.
HASTE: dict[str, Any] = {"socket_connect_timeout": 0.4, "socket_timeout": 0.4, "retry": Retry(NoBackoff(), 0)}
circuit = Circuit(pause=5)
_away = Counter("wayout_store_away", "What was counted or remembered by a process alone, because Redis was away.")


def shared(together: Callable[[], T], alone: Callable[[], T]) -> T:
    """What ``together`` answers by Redis; by this process ``alone`` where Redis fails, and for seconds after."""
    if circuit.allows():
        try:
            answer = together()
        except RedisError as error:
            circuit.failed()
            logger.warning("Redis is away, this process counts for itself: %s", type(error).__name__)
        else:
            circuit.worked()
            return answer
    _away.inc()
    return alone()


class SharedCache(BaseCache):
    """Django's cache in Redis, in the process's own memory where that is away."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._shared = RedisCache(server, {**params, "OPTIONS": HASTE})
        self._own = LocMemCache("wayout.store", params)

    def _do(self, what: str, *given: Any, **named: Any) -> Any:
        return shared(
            lambda: getattr(self._shared, what)(*given, **named), lambda: getattr(self._own, what)(*given, **named)
        )

    add = partialmethod(_do, "add")
    get = partialmethod(_do, "get")
    set = partialmethod(_do, "set")
    touch = partialmethod(_do, "touch")
    delete = partialmethod(_do, "delete")
    incr = partialmethod(_do, "incr")
    clear = partialmethod(_do, "clear")
