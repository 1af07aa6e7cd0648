"""A partner's receiver over real HTTP: behaves as it is told, and keeps what it accepted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

Behavior = Callable[[dict[str, Any]], int | str]


class Receiver(ThreadingHTTPServer):
    """``behave`` says what becomes of a message: a status, "hang", "drip" or "close"."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        self.secret = ""
        self.behave: Behavior = lambda _message: 200
        self.asked = 0
        self.elsewhere: list[str] = []
        self.accepted: list[tuple[str, dict[str, Any]]] = []
        self.signatures: list[str] = []
        self.over = threading.Event()

    @property
    def ids(self) -> list[str]:
        return [message_id for message_id, _ in self.accepted]

    def is_genuine(self, message_id: str, timestamp: str, body: str, signatures: str, secret: str = "") -> bool:
        at = datetime.fromtimestamp(int(timestamp), UTC)
        return Webhook(secret or self.secret).sign(message_id, at, body) in signatures.split(" ")

    def handle_error(self, *_: Any) -> None:
        """A sender that gave up is no news."""


class _Answers(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.elsewhere.append(self.path)
        self._say(200)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        server, message = self.server, json.loads(body)
        if self.path != "/hook":
            server.elsewhere.append(self.path)
            return self._say(200)
        server.asked += 1
        message_id = self.headers["Webhook-Id"]
        signatures = self.headers["Webhook-Signature"]
        if server.secret and not server.is_genuine(message_id, self.headers["Webhook-Timestamp"], body, signatures):
            return self._say(401)
        server.signatures.append(signatures)
        what = server.behave(message)
        if what == "hang":
            server.over.wait(20)
            return None
        if what == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not server.over.wait(0.05):
                self.wfile.write(b"X-More: and more\r\n")
            return None
        if what == "close":
            self.close_connection = True
            return None
        if what == 200:
            server.accepted.append((message_id, message))
        return self._say(int(what))

    def _say(self, status: int) -> None:
        self.send_response(status)
        if 300 <= status < 400:
            self.send_header("Location", self.server.url.replace("/hook", "/elsewhere"))
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver until the block ends."""
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}).start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            time.sleep(0.01)
