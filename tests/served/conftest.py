"""Wayout as it is served: its own process, its own database."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portal.management.commands.demo import server_command

ROOT = Path(__file__).resolve().parents[2]


Served = tuple[int, dict[str, str]]


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo on a free port, with a database of its own; its port and environment."""
    with serve(tmp_path_factory.mktemp("var")) as running:
        yield running


@contextmanager
def serve(var: Path, application: str = "", **environment: str) -> Iterator[Served]:
    """Serve the demo, or an ``application`` without a database, until the block ends; its log goes to ``var``/log."""
    port = free_port()
    environment = {**os.environ, "WAYOUT_DEBUG": "1", "WAYOUT_VAR": str(var), **environment}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    command = [sys.executable, "manage.py", "demo", "--serve", str(port)]
    if application:
        command = [*server_command(port)[:-1], application]
    with (
        (var / "log").open("w") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log) as server,
    ):
        try:
            wait_for(port)
            yield port, environment
        finally:
            server.terminate()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, path: str = "/login/") -> None:
    # A demo that is made anew takes ten seconds, and more where other tests keep the machine busy.
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
        except urllib.error.HTTPError:
            return  # whatever it says, it is there
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    pytest.fail("the server did not start")


def wait_until_bound(port: int) -> None:
    """Until somebody listens. Without a request: the first ones are the test's."""
    for _ in range(300):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail("the server did not start")


def need_npm(otherwise: str) -> str:
    """The path of npm; without it says what was not tested, and fails in CI."""
    npm = shutil.which("npm")
    if npm is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"NOT TESTED: node and npm are not there, {otherwise}")
        pytest.skip(f"NOT TESTED: node and npm are not there, {otherwise}")
    return npm
