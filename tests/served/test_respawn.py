"""The documented server: a process of it that is killed is started again, and a second server is refused."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.served.clone import PRODUCTION, environment, run
from tests.served.conftest import ROOT, free_port, wait_for

pytestmark = pytest.mark.long
COMMAND = re.search(r"^\.venv/bin/granian (.*)$", (ROOT / "docs/setup.md").read_text(), re.MULTILINE)


@contextmanager
def documented(port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """As it is typed, and with the file that keeps a second one from starting."""
    given = environment(**PRODUCTION, WAYOUT_VAR=str(folder), WAYOUT_HTTPS="0")
    with subprocess.Popen(command(port, folder), cwd=ROOT, env=given) as server:
        try:
            wait_for(port, "/healthz/live")
            yield server
        finally:
            server.terminate()


def command(port: int, folder: Path) -> list[str]:
    assert COMMAND
    options = COMMAND[1].replace("8000", str(port)).split()
    return [sys.executable, "-m", "granian", "--pid-file", str(folder / "web.pid"), *options]


def children(process: int) -> list[int]:
    return list(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))


def test_a_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    port = free_port()
    with documented(port, tmp_path) as server:
        # Two deaths within seconds are for granian a fault of the start.
        time.sleep(6)
        [serving] = children(server.pid)
        os.kill(serving, signal.SIGKILL)
        until = time.monotonic() + 30
        while children(server.pid) in ([], [serving]):
            assert server.poll() is None, "it ended with its process"
            assert time.monotonic() < until
            time.sleep(0.1)
        wait_for(port, "/healthz/live")
        request = urllib.request.Request(f"http://127.0.0.1:{port}/healthz/live", headers={"Host": "wayout.example"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200


def test_a_second_one_is_refused_where_the_first_has_its_file(tmp_path: Path) -> None:
    port = free_port()
    with documented(port, tmp_path):
        second = run(ROOT, *command(port, tmp_path)[1:], **PRODUCTION, WAYOUT_VAR=str(tmp_path))
    assert second.returncode != 0
    assert "already exists" in second.stderr + second.stdout
