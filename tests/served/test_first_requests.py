"""The first requests after a start come at once, and on many threads."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.outsiders import silent
from tests.races.together import together
from tests.served.conftest import ROOT, Served, free_port, wait_until_bound
from tests.web.test_hardening import redis_url

__all__ = ["redis_url"]
pytestmark = [pytest.mark.long, pytest.mark.xdist_group("served")]
MANY = 40


def ask_at_once(served: Served, redis: str, log: Path) -> list[tuple[int, float] | Exception]:
    """The status of each of 40 first requests of a server that has just been started, and how long it took."""
    environment, port = served[1], free_port()
    token = json.loads((Path(environment["WAYOUT_VAR"]) / "demo.json").read_text())["tokens"]["reader"]
    command = [
        sys.executable, "-m", "granian", "--interface", "asginl", "--host", "127.0.0.1", "--port", str(port),
        "--no-ws", "--log-level", "warning", "portal.asgi:application",
    ]  # fmt: skip
    environment = environment | {
        "WAYOUT_MAX_CONCURRENCY": str(MANY),
        "WAYOUT_REDIS_URL": redis,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql/", json.dumps({"query": "{ viewer { __typename } }"}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )  # fmt: skip

    def ask(_number: int) -> tuple[int, float]:
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, time.monotonic() - began
        except urllib.error.HTTPError as error:
            return error.code, time.monotonic() - began

    with (
        log.open("w") as said,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said) as server,
    ):
        try:
            wait_until_bound(port)
            return together(MANY, ask)
        finally:
            server.terminate()


@pytest.mark.parametrize("trouble", ["", "silent"])
def test_all_are_answered_with_redis_and_with_one_that_is_silent(
    served: Served, tmp_path: Path, redis_url: str, trouble: str
) -> None:
    with silent() if trouble else nullcontext() as outsider:
        url = f"redis://127.0.0.1:{outsider.port}/0" if outsider else redis_url
        answers = ask_at_once(served, url, tmp_path / "log")
    assert [answer[0] for answer in answers if isinstance(answer, tuple)] == [200] * MANY, answers
