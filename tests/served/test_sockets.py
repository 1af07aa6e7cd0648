"""What a socket can do that Django's test client cannot: bodies that never end, bodies that are too long, names of
headers that fold into one another.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.served.conftest import Served, serve

pytestmark = pytest.mark.xdist_group("sockets")
_JSON = b"Content-Type: application/json\r\n"
_ASKED = b'{"query": "{ __typename }"}'
_PAGE = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serve(tmp_path_factory.mktemp("var"), "tests.served.impatient:application") as (port, _):
        yield port


def connect(port: int, sent: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(sent)
    return connection


def answer(port: int, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in lower case) and body of what comes back before the server closes."""
    with connect(port, sent) as connection:
        got = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, _, body = got.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    fields = (line.partition(": ") for line in lines)
    return int(status.split()[1]), {name.lower(): value for name, _, value in fields}, body


def post(body: bytes, *headers: bytes, path: bytes = b"/graphql/") -> bytes:
    """A request that says how long its body is."""
    length = b"Content-Length: %d\r\n" % len(body)
    return b"".join([_start(path), length, *headers, b"\r\n", body])


def _start(path: bytes = b"/graphql/") -> bytes:
    return b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" % path + _JSON


@pytest.mark.parametrize("connections", [12, pytest.param(400, marks=pytest.mark.long)])
def test_bodies_that_never_end_stop_nobody(port: int, connections: int) -> None:
    with ExitStack() as open_ones:
        for number in range(connections):
            path = (b"/graphql/", b"/accounts/login/")[number % 2]
            open_ones.enter_context(connect(port, _start(path) + b"Content-Length: 500\r\n\r\n{"))
        time.sleep(0.2)
        for _ in range(3):
            began = time.monotonic()
            assert answer(port, _PAGE + b"\r\n")[0] == 302
            status, _, body = answer(port, post(_ASKED))
            assert (status, json.loads(body)["data"]) == (200, {"__typename": "Query"})
            assert time.monotonic() - began < 3


def test_a_body_that_does_not_end_in_time_is_refused(port: int) -> None:
    began = time.monotonic()
    status, headers, body = answer(port, _start() + b"Content-Length: 500\r\nWayout-Locale: bg\r\n\r\n{")
    assert (status, headers["connection"]) == (408, "close")
    [error] = json.loads(body)["errors"]
    assert error["extensions"]["code"] == "TIMEOUT"
    assert "Нищо не е променено" in error["message"]
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("headers", "length"), [(b"", 10_000_000), (b"Expect: 100-continue\r\n", 0), (b"Origin: https://x.example\r\n", 1_000_001)]
)  # fmt: skip
def test_a_body_that_is_too_long_is_told_so(port: int, headers: bytes, length: int) -> None:
    declared = b"Content-Length: %d\r\n" % (length or 5_000_000)
    status, answered, body = answer(port, _start() + declared + headers + b"\r\n" + b" " * length)
    [error] = json.loads(body)["errors"]
    assert (status, error["extensions"]["code"]) == (413, "INPUT_INVALID")
    assert answered["content-type"] == "application/json"
    assert len(answered["wayout-request-id"]) == 32
    # A page says it in words, and the largest body there may be comes in.
    assert answer(port, post(b" " * 2_000_000, path=b"/accounts/login/"))[0] == 413
    assert answer(port, post(_ASKED + b" " * (1_000_000 - len(_ASKED))))[0] == 200


def test_a_body_of_unknown_length_is_asked_for_it(port: int) -> None:
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(_ASKED), _ASKED)
    status, _, body = answer(port, _start() + chunked)
    [error] = json.loads(body)["errors"]
    assert (status, error["extensions"]["code"]) == (411, "INPUT_INVALID")
    assert "Content-Length" in error["message"]


@pytest.mark.parametrize(
    ("header", "language"),
    [(b"Wayout-Locale: bg", "bg"), (b"Wayout_Locale: bg", "en"), (b"Wayout_Locale: bg\r\nWayout-Locale: en", "en")],
)
def test_a_header_with_an_underscore_is_not_the_one_with_a_hyphen(port: int, header: bytes, language: str) -> None:
    status, headers, _ = answer(port, _PAGE + header + b"\r\n\r\n")
    assert (status, headers["content-language"]) == (302, language)


def test_what_is_asked_arrives_as_it_was_sent(port: int) -> None:
    status, _, body = answer(port, b"GET /?q=%D0%B8 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert (status, body) == (302, b"")
    query = "GET /graphql/?query={__typename}&q=иван HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert answer(port, query.encode())[0] == 200
    status, headers, body = answer(
        port, b"HEAD /static/portal/page.js HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    assert (status, body, int(headers["content-length"]) > 100) == (200, b"", True)
    assert answer(port, _PAGE.replace(b"127.0.0.1", b"evil.example") + b"\r\n")[0] == 400
    assert answer(port, _PAGE + b"Host: localhost\r\n\r\n")[0] == 400


@pytest.mark.long
@pytest.mark.xdist_group("served")
@pytest.mark.parametrize("odd", ["и".encode(), b"caf\xe9"], ids=["UTF-8", "latin-1"])
def test_a_header_that_is_not_ascii_costs_only_itself(served: Served, odd: bytes) -> None:
    port = served[0]
    with connect(port, _PAGE.replace(b"GET / ", b"GET /accounts/login/ ") + b"\r\n") as connection:
        page = b"".join(iter(lambda: connection.recv(65_536), b""))
    token = page.partition(b"csrftoken=")[2].partition(b";")[0]
    cookie = b"csrftoken=" + token
    form = b"csrfmiddlewaretoken=" + token + b"&login=rila-admin&password=leave-in-peace"
    sign_in = (
        b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nCookie: " + cookie
        + b"; theirs=" + odd + b"\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(form)
    )  # fmt: skip
    with connect(port, sign_in + form) as connection:
        got = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert got.startswith(b"HTTP/1.1 302")
    session = got.partition(b"sessionid=")[2].partition(b";")[0]
    mine = b"Cookie: theirs=" + odd + b"; sessionid=" + session + b"\r\n"
    assert answer(port, _PAGE + mine + b"\r\n")[0] == 200
    # A token that is none never falls back to the session.
    asked = b'{"query": "{ viewer { kind } }"}'
    status, _, body = answer(port, post(asked, mine, b"Authorization: Bearer " + odd + b"\r\n"))
    assert b'"PERSON"' not in body
    assert b"NOT_AUTHENTICATED" in body or status == 401


@pytest.mark.long
@pytest.mark.xdist_group("served")
def test_no_header_begins_a_new_count_of_failed_sign_ins(served: Served) -> None:
    port, _ = served
    sign_in = 'mutation { signIn(input: {name: "staff", password: "wrong"}) { ... on Problem { code } } }'
    body = json.dumps({"query": sign_in}).encode()
    for number in range(12):
        forged = b"X_Forwarded_For: 192.0.2.%d\r\nX-Forwarded-For: 198.51.100.%d\r\n" % (number, number)
        answer(port, post(body, forged).replace(b"Host: 127.0.0.1", b"Host: 127.0.0.1:%d" % number))
    right = json.dumps({"query": sign_in.replace("wrong", "leave-in-peace")}).encode()
    _, _, refused = answer(port, post(right))
    assert json.loads(refused)["data"]["signIn"]["code"] in ("RATE_LIMITED", "SIGN_IN_FAILED")
