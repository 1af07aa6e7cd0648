"""Documents as hosts send them, over real sockets: in chunks, slowly, without a right to, packed to burst."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import random
import re
import subprocess
import sys
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.served.conftest import ROOT, serve
from tests.served.test_sockets import _PAGE, answer, connect

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("sync")]
MAX_BYTES = 12_000_000
_RUN = [sys.executable, "manage.py"]
_TENANT = "c-1"
_MAKE = f"""
from tenants.models import Tenant
Tenant.objects.create(name="Acme", domain="acme.example", external_id="{_TENANT}")
"""


class Host:
    """A program of the host, and the server that it sends to."""

    def __init__(self, port: int, token: str, environment: dict[str, str]) -> None:
        self.port, self.environment = port, environment
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any], str]:
        """Status, body and Location. What is no bytes is sent in chunks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            is_chunked = not isinstance(body, (bytes, type(None)))
            said = {**self.headers, **({"Transfer-Encoding": "chunked"} if is_chunked else {}), **headers}
            connection.request(method, path, body, said, encode_chunked=is_chunked)
            got = connection.getresponse()
            return got.status, json.loads(got.read()), got.headers.get("Location", "")
        finally:
            connection.close()

    def put(self, body: bytes | Iterable[bytes], **headers: str) -> tuple[int, dict[str, Any], str]:
        return self.ask("PUT", f"/sync/tenants/{_TENANT}", body, **headers)

    def begun(self, *headers: bytes, token: str = "") -> bytes:
        """A request whose body has begun and goes on."""
        bearer = token or self.headers["Authorization"]
        return (
            f"PUT /sync/tenants/{_TENANT} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: {bearer}\r\n"
            "Content-Type: application/x-ndjson\r\nContent-Length: 900000\r\n"
        ).encode() + b"\r\n".join([*headers, b"", b"{"])


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    var = tmp_path_factory.mktemp("var")
    own = {"DATABASE_URL": f"sqlite:///{var}/sync.sqlite3", "WAYOUT_SYNC_MAX_BYTES": str(MAX_BYTES)}
    environment = {**os.environ, "WAYOUT_DEBUG": "1", "WAYOUT_VAR": str(var), **own}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    for command in (["migrate", "-v0"], ["shell", "-v0", "-c", _MAKE]):
        subprocess.run([*_RUN, *command], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    create = ["partner_token", "--create", "Host", "--scope", "SYNC", "--tenant", "acme.example"]
    made = subprocess.run([*_RUN, *create], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    [token, *_others] = re.findall(r"wyo_\w+", made.stdout)
    with serve(var, "tests.served.impatient:application", **own) as (port, serving):
        yield Host(port, token, serving)


def lines(users: int) -> Iterator[bytes]:
    """A document with names that do not pack well, line by line."""
    chance = random.Random(users)
    yield json.dumps({"asOf": datetime.now(UTC).isoformat()}).encode() + b"\n"
    for n in range(users):
        name = chance.randbytes(60).hex()
        yield b'{"users": {"id": "u%d", "principalName": "user%d@x.example", "displayName": "%s"}}\n' % (n, n, name.encode())  # fmt: skip


def test_megabytes_in_chunks_become_a_run_that_ends(host: Host) -> None:
    packed = gzip.compress(b"".join(lines(30_000)), 1)
    assert len(packed) > 2_000_000
    pieces = (packed[at : at + 50_000] for at in range(0, len(packed), 50_000))
    status, said, location = host.put(pieces, **{"Content-Encoding": "gzip"})
    assert (status, said["state"]) == (202, "RECEIVED")
    assert host.put(b'{"asOf": "2026-01-01T00:00:00Z"}')[0] == 409
    subprocess.run([*_RUN, "work", "--once"], cwd=ROOT, env=host.environment, check=True, stdout=subprocess.DEVNULL)
    status, said, _ = host.ask("GET", location)
    assert (status, said["state"], said["report"]["created"]) == (200, "DONE", 30_000)


def test_slow_ones_end_in_time_and_hold_up_nobody(host: Host) -> None:
    """A byte now and then, and nothing any more."""
    began = time.monotonic()
    with ExitStack() as stack:
        dripping = stack.enter_context(connect(host.port, host.begun()))
        silent = stack.enter_context(connect(host.port, host.begun()))
        for _ in range(3):
            asked = time.monotonic()
            assert answer(host.port, _PAGE + b"\r\n")[0] == 302
            assert time.monotonic() - asked < 1
            time.sleep(0.4)
            dripping.sendall(b"x")
        assert silent.recv(100).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < 3
        while time.monotonic() - began < 2.5:
            dripping.sendall(b"x")
            time.sleep(0.4)
        assert dripping.recv(100).startswith(b"HTTP/1.1 408")
        assert 2.8 < time.monotonic() - began < 8


def test_of_too_many_at_once_one_is_refused(host: Host) -> None:
    with ExitStack() as stack:
        senders = [stack.enter_context(connect(host.port, host.begun())) for _ in range(4)]
        time.sleep(0.5)
        status, headers, body = answer(host.port, host.begun())
        assert (status, json.loads(body)["problems"][0]["code"]) == (503, "OVERLOADED")
        assert headers["retry-after"] == "60"
        assert [sender.recv(100)[:12] for sender in senders] == [b"HTTP/1.1 408"] * 4
    assert host.put(b'{"asOf": "2026-01-01T00:00:00Z"}\n')[0] == 200


def test_without_a_token_no_body_is_taken(host: Host) -> None:
    began = time.monotonic()
    for token in ("Bearer wyo_nobody", "Basic eDp5", "Bearer"):
        status, _, body = answer(host.port, host.begun(token=token))
        assert (status, json.loads(body)["problems"][0]["code"]) == (401, "NOT_AUTHENTICATED")
    assert time.monotonic() - began < 3


def test_what_is_too_long_is_refused(host: Host) -> None:
    status, said, _ = host.put(b" " * (MAX_BYTES + 1_000))
    assert status == 413, said
    chunks = (b" " * 100_000 for _ in range(MAX_BYTES // 100_000 + 1))
    assert host.put(chunks)[0] == 413
    assert host.put(b'{"asOf": "2026-01-01T00:00:00Z"}\n')[0] == 200


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("filling", [b" ", b"\n", b'{"users": {"id": "u", "principalName": "x"}}\n'], ids=["blank", "lines", "rows"])  # fmt: skip
def test_a_bomb_is_refused_in_little_memory(host: Host, filling: bytes) -> None:
    """Half a gigabyte in half a megabyte: what is unpacked is counted while it is."""
    host.put(b'{"asOf": "2026-01-01T00:00:00Z"}\n')
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    block = filling * (1_000_000 // len(filling))
    bomb = b"".join([*(packer.compress(block) for _ in range(500)), packer.flush()])
    assert len(bomb) < 3_000_000
    before = peak_memory(host.port)
    status, said, _ = host.put(bomb, **{"Content-Encoding": "gzip"})
    assert (status, said["problems"][0]["code"]) == (413, "TOO_LARGE")
    assert peak_memory(host.port) - before < 40
    assert host.put(b'{"asOf": "2026-01-01T00:00:00Z"}\n')[0] == 200


def peak_memory(port: int) -> float:
    """The most megabytes that the server and what it started ever had."""
    parents, found = {}, set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if b"granian" in command and str(port).encode() in command:
            found.add(int(process.name))
    assert found
    for _ in range(3):
        found |= {pid for pid, parent in parents.items() if parent in found}
    peaks = [re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()) for pid in found]
    return sum(int(peak) for [peak] in peaks) / 1024
