"""A mail server that keeps what it was given, and takes calls without a word while it is told to be silent."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from socketserver import StreamRequestHandler, ThreadingTCPServer


class PostOffice(ThreadingTCPServer):
    """``sent``: how often each mail came, by subject and address."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.port = int(self.server_address[1])
        self.sent: Counter[tuple[str, str]] = Counter()
        self.lock = threading.Lock()
        self.speaks = threading.Event()
        self.speaks.set()


class _Call(StreamRequestHandler):
    server: PostOffice

    def handle(self) -> None:
        self.say("220 there")
        while line := self.rfile.readline():
            word = line.split()[0].upper() if line.strip() else b""
            if word == b"QUIT":
                return self.say("221 bye")
            if word == b"DATA":
                self.say("354 go on")
                self.keep()
            self.say("250 ok")
        return None

    def keep(self) -> None:
        lines = []
        while (line := self.rfile.readline()) and line.strip() != b".":
            lines.append(line)
        if line:
            mail = message_from_bytes(b"".join(lines), policy=policy.default)
            with self.server.lock:
                self.server.sent[mail["Subject"], mail["To"]] += 1

    def say(self, line: str) -> None:
        """When it speaks again, if it does."""
        self.server.speaks.wait(60)
        self.wfile.write(line.encode() + b"\r\n")


@contextmanager
def post_office() -> Iterator[PostOffice]:
    with PostOffice() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.speaks.set()
        server.shutdown()
