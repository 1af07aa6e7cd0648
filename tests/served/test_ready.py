"""Whatever watches a process, or asks it for something, hears within two seconds that its database is away."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.graphql.documents import VIEWER
from tests.served.clone import PRODUCTION, run
from tests.served.conftest import ROOT, free_port

ASK = """
import time
import portal.wsgi
from django.test import Client
client = Client(raise_request_exception=False, headers={"host": "wayout.example"})
client.get("/healthz/live")
for _ in range(2):
    begun = time.monotonic()
    ready = client.get("/healthz/ready")
    print(ready.status_code, ready.json()["checks"]["database"], time.monotonic() - begun)
"""


@pytest.fixture(params=["refused", "silent"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Where nobody listens, or somebody who says nothing."""
    if request.param == "refused":
        yield free_port()
        return
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield silent.getsockname()[1]


def test_without_a_database_ready_answers_within_two_seconds(tmp_path: Path, port: int) -> None:
    url = f"postgresql://postgres@127.0.0.1:{port}/wayout"
    asked = run(ROOT, "-c", ASK, **PRODUCTION, WAYOUT_VAR=str(tmp_path), DATABASE_URL=url)
    said = [line.split() for line in asked.stdout.splitlines()]
    assert [(status, database) for status, database, _seconds in said] == [("503", "failed")] * 2, asked.stderr
    assert all(float(seconds) < 2 for *_what, seconds in said), said


ASK_FOR_MORE = """
import time
import portal.wsgi
from django.test import Client
from tenants.models import PartnerToken
from tenants.tokens import mint
client = Client(raise_request_exception=False, headers={"host": "wayout.example"})
client.get("/healthz/live")
session = {"HTTP_COOKIE": "sessionid=abcdefghijklmnopqrstuvwxyz012345"}
token = {"HTTP_AUTHORIZATION": "Bearer " + mint(PartnerToken())}
asked = {
    "a caller with a token": lambda: client.post("/graphql/", QUERY, content_type="application/json", **token),
    "somebody signed in": lambda: client.post("/graphql/", QUERY, content_type="application/json", **session),
    "a page": lambda: client.get("/", **session),
    "a sign-in": lambda: client.post("/accounts/login/", {"login": "anna", "password": "long and secret"}),
    "the admin": lambda: client.get("/admin/", headers={"Accept-Language": "bg"}, **session),
    "a provider": lambda: client.post("/webhooks/owed/", "{}", content_type="application/json"),
}
for who, ask in asked.items():
    begun = time.monotonic()
    answer = ask()
    took = time.monotonic() - begun
    print(who, answer.status_code, answer.headers.get("Retry-After"), took, answer.content.decode(), sep="|")
"""


@pytest.mark.long
def test_without_a_database_everybody_is_told_to_ask_again(tmp_path: Path, port: int) -> None:
    url = f"postgresql://postgres@127.0.0.1:{port}/wayout"
    query = f"QUERY = {json.dumps({'query': VIEWER})!r}\n"
    asked = run(
        ROOT, "-c", query + ASK_FOR_MORE, **PRODUCTION, WAYOUT_HTTPS="0", WAYOUT_VAR=str(tmp_path), DATABASE_URL=url
    )
    said = [line.split("|") for line in asked.stdout.splitlines()]
    # Whoever pays by other means than a provider is told of nothing, with or without a database.
    answers = {who: (status, after, body) for who, status, after, _took, body in said}
    assert answers.pop("a provider")[0] in ("404", "503"), asked.stderr
    assert {who: (status, after) for who, (status, after, _body) in answers.items()} == dict.fromkeys(
        ("a caller with a token", "somebody signed in", "a page", "a sign-in", "the admin"), ("503", "5")
    ), (said, asked.stderr)
    assert {who: took for who, _status, _after, took, _body in said if float(took) > 2.5} == {}
    for who, (_status, _after, body) in answers.items():
        if who in ("a caller with a token", "somebody signed in"):
            [error] = json.loads(body)["errors"]
            assert error["extensions"] == {"code": "UNAVAILABLE", "path": []}
            body = error["message"]
        assert body.startswith("Данните ни" if who == "the admin" else "Our data cannot be reached")
    assert "Traceback" not in asked.stderr
