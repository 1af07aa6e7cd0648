"""Servers of the benchmark: each on a free port of the loopback, until the block ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.config import ROOT

BASELINES = ROOT / "bench" / "baselines"
GRAPHENE = ROOT / "var" / "graphene"
_GRANIAN = ["--host", "127.0.0.1", "--no-ws", "--log-level", "warning"]


@contextmanager
def serving(command: Sequence[str], environment: Mapping[str, str], cwd: Path = ROOT) -> Iterator[int]:
    """Start a server; ``{port}`` in its command becomes the port that is yielded once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    given = {**os.environ, **environment, "PORT": str(port)}
    given.pop("DJANGO_SETTINGS_MODULE", None)
    started = [part.replace("{port}", str(port)) for part in command]
    with subprocess.Popen(started, cwd=cwd, env=given, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as server:
        try:
            _wait_for(port, server)
            yield port
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


def wayout(url: str, workers: int = 1, **environment: str) -> tuple[list[str], dict[str, str]]:
    """Wayout as it is run in production, without limits on who asks how often."""
    command = [
        sys.executable, "-m", "granian", "--interface", "asginl", *_GRANIAN, "--port", "{port}",
        "--workers", str(workers), "portal.asgi:application",
    ]  # fmt: skip
    rates = {"WAYOUT_CALLER_RATE": "100000000/minute", "WAYOUT_TENANT_RATE": "100000000/minute"}
    settings = {
        "DATABASE_URL": url, "WAYOUT_DEBUG": "0", "WAYOUT_HOSTS": "127.0.0.1", "WAYOUT_HTTPS": "0",
        "WAYOUT_SECRET_KEY": "of a benchmark, which nobody else ever sees, 50 characters",
    }  # fmt: skip
    return command, {**settings, **rates, **environment}


def bare(url: str) -> tuple[list[str], dict[str, str]]:
    command = [
        sys.executable, "-m", "granian", "--interface", "asgi", *_GRANIAN, "--port", "{port}",
        "--workers", "1", "bench.baselines.bare:app",
    ]  # fmt: skip
    return command, {"DATABASE_URL": url}


def stock(url: str, python: str, urls: str) -> tuple[list[str], dict[str, str]]:
    """A Django baseline, run by the Python of its environment."""
    command = [
        python, "-m", "granian", "--interface", "wsgi", *_GRANIAN, "--port", "{port}",
        "--workers", "1", "--blocking-threads", "8", "bench.baselines.stock_wsgi:application",
    ]  # fmt: skip
    return command, {"DATABASE_URL": url, "BENCH_URLS": urls}


def graphene(url: str) -> tuple[list[str], dict[str, str]]:
    """graphene-django, from an environment of its own, which is made when it is not there."""
    python = GRAPHENE / "bin" / "python"
    if not python.exists():
        print("Installing graphene-django into an environment of its own ...")
        subprocess.run([sys.executable, "-m", "venv", str(GRAPHENE)], check=True)
        wanted = str(BASELINES / "graphene-requirements.txt")
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", wanted], check=True)
    return stock(url, str(python), "bench.baselines.graphene_urls")


def apollo(url: str) -> tuple[list[str], dict[str, str]]:
    """Apollo Server, installed when it is not there."""
    if not (BASELINES / "node_modules").exists():
        print("Installing Apollo Server ...")
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=BASELINES, check=True)
    return ["node", str(BASELINES / "apollo.mjs")], {"DATABASE_URL": url, "NODE_ENV": "production"}


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise SystemExit(f"{server.args!r} ended by itself")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{server.args!r} did not start")
