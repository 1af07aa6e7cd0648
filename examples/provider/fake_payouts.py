"""A payout service that fails on demand, over real HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class FakePayouts(ThreadingHTTPServer):
    """``troubles``: what goes wrong with the next requests, one each."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Requests)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.payouts: dict[str, dict[str, Any]] = {}
        self.troubles: list[str] = []


class _Requests(BaseHTTPRequestHandler):
    server: FakePayouts

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        """The payout, or 404."""
        if self._trouble() is not None:
            found = self.server.payouts.get(self.path)
            self._say(200 if found else 404, found or {})

    def do_PUT(self) -> None:
        """Make the payout unless it is there."""
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        trouble = self._trouble()
        if trouble is None:
            return
        new = {
            **given,
            "id": f"po_{len(self.server.payouts) + 1}",
            "status": {"decline": "failed", "pending": "on its way"}.get(trouble, "paid"),
            "reason": "the account is closed",
        }
        payout = self.server.payouts.setdefault(self.path, new)
        if trouble == "timeout after":
            self.close_connection = True
        else:
            self._say(200, payout)

    def _trouble(self) -> str | None:
        """What goes wrong with a request that is looked at; None where that was all."""
        trouble = self.server.troubles.pop(0) if self.server.troubles else ""
        if self.headers["Authorization"] != "Bearer the key":
            self._say(401, {})
        elif trouble == "5xx":
            self._say(500, {})
        elif trouble == "throttled":
            self._say(429, {}, {"Retry-After": "420"})
        elif trouble in ("timeout before", "silent"):
            time.sleep(1 if trouble == "silent" else 0)
            self.close_connection = True
        else:
            return trouble
        return None

    def _say(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        said = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(said)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said)


@contextmanager
def fake_payouts() -> Iterator[FakePayouts]:
    """Serve one until the block ends."""
    with FakePayouts() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()
