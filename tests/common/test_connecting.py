"""Names that nobody can look up cost whoever asks for them no more than any other silence."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from django.core import mail

from common import store
from common.connecting import addresses_of, connected
from common.outbound import session
from tests.outsiders import refused, silent, unresolved
from webhooks.sending import EndpointResponse, post


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def test_a_look_up_ends_in_time() -> None:
    with unresolved() as asked, at_most(2), pytest.raises(TimeoutError):
        addresses_of("slow.example", 443, 0.2)
    assert asked == ["slow.example"]
    with pytest.raises(OSError, match=r"."):
        addresses_of("no such name", 443, 5)


def test_a_receiver_of_events() -> None:
    with unresolved(), at_most(2):
        answer = post("https://slow.example/hook", b"{}", {}, seconds=0.3, private=False)
    assert answer == EndpointResponse(None, "TIMEOUT")


def test_a_provider_and_an_organization() -> None:
    with unresolved(), at_most(2), pytest.raises(requests.Timeout):
        session().get("https://slow.example/", timeout=0.3)


def test_a_mail_server(settings: Any) -> None:
    settings.EMAIL_BACKEND = "outbox.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_TIMEOUT = "slow.example", 0.3
    with unresolved(), at_most(2), pytest.raises(OSError, match=r"^$"):
        mail.send_mail("a", "b", "a@wayout.example", ["b@wayout.example"])


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_redis(scheme: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.circuit, "_pause", 600)
    store.circuit.worked()
    cache = store.SharedCache(f"{scheme}://slow.example:6379/0", {})
    with unresolved() as asked, at_most(2):
        for _ in range(5):
            cache.set("word", "kept by this process")
            assert cache.get("word") == "kept by this process"
    assert asked == ["slow.example"]
    store.circuit.worked()


@pytest.mark.parametrize("hangs", [False, True])
def test_the_next_address_is_tried(hangs: bool) -> None:
    nobody = refused()
    tried: list[tuple[str, bool]] = []

    def connect(address: str, seconds: float) -> socket.socket:
        tried.append((address, seconds > 0.4))
        if address == "203.0.113.1":
            if hangs:
                time.sleep(min(seconds, 0.6))
                raise TimeoutError
            return socket.create_connection(("127.0.0.1", nobody.port), seconds)
        return socket.create_connection(("127.0.0.1", listening.port), seconds)

    with silent() as listening, at_most(2):
        connected("two.example", 443, 1.0, connect, lambda *_: ["203.0.113.1", "203.0.113.2"]).close()
    assert tried == [("203.0.113.1", True), ("203.0.113.2", True)]
    with pytest.raises(OSError, match=r"refused"):
        connected(
            "one.example",
            443,
            1.0,
            lambda *_: socket.create_connection(("127.0.0.1", nobody.port)),
            lambda *_: ["x"],
        )
