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
from redis import Connection, RedisError, SSLConnection
from redis.backoff import NoBackoff
from redis.retry import Retry

from common.circuit import Circuit
from common.connecting import connected

logger = logging.getLogger("wayout.store")
T = TypeVar("T")

# Seconds for connecting, the look-up of its name included, and for each answer.
_TIMEOUT = 0.4
circuit = Circuit(pause=5)
_away = Counter("wayout_store_away", "What was counted or remembered by a process alone, because Redis was away.")


class _InTime(Connection):
    """A connection whose name is looked up in time, too."""

    def _connect(self) -> Any:
        """The library looks an address up in no time. A certificate is checked against the name, by who calls this."""
        name = self.host

        def connect(address: str, seconds: float) -> Any:
            self.host, self.socket_connect_timeout = address, seconds
            return super(_InTime, self)._connect()  # type: ignore[no-untyped-call]

        try:
            return connected(name, int(self.port), _TIMEOUT, connect)
        finally:
            self.host, self.socket_connect_timeout = name, _TIMEOUT


class _SecureInTime(SSLConnection, _InTime):
    """The same, over TLS."""


def client_options(url: str) -> dict[str, Any]:
    """For whoever makes a client of this Redis: all is in time, and tried once."""
    kinds = {"redis": _InTime, "rediss": _SecureInTime}
    kind = kinds.get(url.partition(":")[0])
    options = {"socket_connect_timeout": _TIMEOUT, "socket_timeout": _TIMEOUT, "retry": Retry(NoBackoff(), 0)}
    return {**options, **({"connection_class": kind} if kind else {})}


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
        self._shared = RedisCache(server, {**params, "OPTIONS": client_options(server)})
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
