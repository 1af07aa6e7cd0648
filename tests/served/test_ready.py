"""Whatever watches a process hears within two seconds that its database is away."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

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
