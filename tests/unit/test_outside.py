"""Calls to others end in time, whatever the other side does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import stripe

from common.outbound import retry_after, session
from portal.accounts import organization
from portal.accounts.organization import OrganizationAdapter
from tests.outsiders import refused, silent

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "dripping"),
    [
        pytest.param(b"", b"", id="silent"),
        pytest.param(b"", b"H", id="drips its first line"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", id="drips headers"),
        pytest.param(ANSWER, b"x", id="drips its answer"),
    ],
)
def test_one_that_takes_its_time_is_left(first: bytes, dripping: bytes) -> None:
    with silent(dripping, first=first, pause=0.05) as outsider:
        began = time.monotonic()
        with pytest.raises(requests.Timeout):
            session().get(f"http://127.0.0.1:{outsider.port}/", timeout=0.6)
        assert 0.5 < time.monotonic() - began < 5
    assert len(outsider.calls) == 1


def test_one_that_is_not_there() -> None:
    with pytest.raises(requests.ConnectionError):
        session().get(f"http://127.0.0.1:{refused().port}/", timeout=5)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), ("", 0), ("-7", 0), ("soon", 0), ("²", 0), ("9" * 30, 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0)],
)
def test_what_is_no_number_of_seconds_asks_for_nothing(said: str, seconds: int) -> None:
    assert retry_after(said).total_seconds() == seconds


def test_stripe_is_left_in_time_by_its_own_client_on_such_a_session() -> None:
    with silent(b"H", pause=0.05) as outsider:
        http = stripe.RequestsClient(timeout=0.5, session=session())
        client = stripe.StripeClient(
            "sk_test_x", base_addresses={"api": f"http://127.0.0.1:{outsider.port}"}, max_network_retries=0,
            http_client=http,
        )  # fmt: skip
        began = time.monotonic()
        with pytest.raises(stripe.APIConnectionError):
            client.v1.refunds.create({"charge": "ch_1"})
        assert time.monotonic() - began < 5


class Echo(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.send_response(201 if self.path.endswith("/there") else 302)
        self.send_header("Location", "/there")
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST


@pytest.fixture
def echo() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_is_sent_and_answered_arrives_as_it_is(echo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = session().post(f"{echo}/there", data={"amount": "500", "text": "Ж"})
    assert (answer.status_code, answer.reason, answer.text) == (201, "Created", "amount=500&text=%D0%96")
    answer = session().post(f"{echo}/there", data="Ж")
    assert answer.text == "Ж"
    moved = session().get(f"{echo}/here")
    assert (moved.status_code, [step.status_code for step in moved.history]) == (201, [302])
    # An installation whose way out is a proxy goes on using it.
    monkeypatch.setenv("HTTP_PROXY", echo)
    proxied = session().get("http://wayout.invalid/there")
    assert proxied.status_code == 201


def test_an_organizations_server_is_left_in_time_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(organization, "_TIMEOUT", 0.5)
    with silent(b"H", pause=0.05) as outsider:
        url = f"http://127.0.0.1:{outsider.port}/"
        sign_in = OrganizationAdapter().get_requests_session()
        for ask in (lambda: organization._get(url), lambda: sign_in.get(url, timeout=0.5)):
            began = time.monotonic()
            with pytest.raises(requests.Timeout):
                ask()
            assert time.monotonic() - began < 5
