"""Connect to names in time: the system's resolver waits for as long as it is set up to, which may be minutes."""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")
LookUp = Callable[[str, int, float], list[str]]


def addresses_of(host: str, port: int, seconds: float) -> list[str]:
    """Every address of a name, in the order of the system's liking. Raises TimeoutError, or OSError for one unknown.

    A look-up that is given up goes on in a thread of its own, until the resolver gives up as well.
    """
    found: Future[list[Any]] = Future()
    Thread(target=_look_up, args=[found, host, port], name="name look-up", daemon=True).start()
    return list(dict.fromkeys(str(info[4][0]) for info in found.result(max(0.0, seconds))))


def connected(
    host: str, port: int, seconds: float, connect: Callable[[str, float], T], look_up: LookUp = addresses_of
) -> T:
    """What ``connect`` makes of the first address that takes the call, each with its share of what is left of the time.

    Raises what ``look_up`` does, or ``connect`` of the last one.
    """
    until = monotonic() + seconds
    addresses = look_up(host, port, seconds)
    while True:
        address = addresses.pop(0)
        try:
            return connect(address, max(0.001, until - monotonic()) / (len(addresses) + 1))
        except Exception:
            if not addresses:
                raise


def _look_up(found: Future[list[Any]], host: str, port: int) -> None:
    try:
        found.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except Exception as error:
        found.set_exception(error)
