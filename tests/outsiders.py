"""Others that we depend on, as they are on a bad day: nobody listens, or somebody takes the call and says nothing."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest


def require(url: str) -> None:
    """Skip, loudly, a test of a broker or a store that is not there; in CI it fails."""
    place = urlsplit(url)
    try:
        socket.create_connection((place.hostname or "", place.port or 0), timeout=5).close()
    except OSError as error:
        missing = f"NOT TESTED: nobody answers at {url} ({error})"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)


@dataclass
class Outsider:
    """Where it is, and who called."""

    port: int
    calls: list[socket.socket] = field(default_factory=list)


def refused() -> Outsider:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return Outsider(probe.getsockname()[1])


@contextmanager
def silent(dripping: bytes = b"", *, first: bytes = b"", pause: float = 0.2) -> Iterator[Outsider]:
    """Takes every call and never answers; or says ``first``, then ``dripping`` every ``pause`` seconds."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        server.settimeout(pause)
        outsider, ended = Outsider(server.getsockname()[1]), threading.Event()

        def take_calls() -> None:
            while not ended.is_set():
                with suppress(TimeoutError):
                    outsider.calls.append(server.accept()[0])
                    outsider.calls[-1].sendall(first)
                    continue
                for call in outsider.calls if dripping else ():
                    with suppress(OSError):
                        call.send(dripping)

        thread = threading.Thread(target=take_calls)
        thread.start()
        try:
            yield outsider
        finally:
            ended.set()
            thread.join()
            for call in outsider.calls:
                call.close()


@contextmanager
def unresolved() -> Iterator[list[str]]:
    """Whoever tells the addresses of names says nothing until the block ends; which names were asked for."""
    asked: list[str] = []
    ended, known = threading.Event(), socket.getaddrinfo

    def resolve(host: str, *given: Any, **named: Any) -> Any:
        if host[:1].isdigit() or host == "localhost":
            return known(host, *given, **named)
        asked.append(host)
        ended.wait(30)
        raise socket.gaierror("it was given up")

    with patch.object(socket, "getaddrinfo", resolve):
        try:
            yield asked
        finally:
            ended.set()
