"""One client for every benchmark. It counts what was answered and what was not: a figure without that is of another load.

A benchmark either takes no failure (``must``, ``check``), or says the counts beside its figure (``said``).
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from threading import Event
from typing import Any

OK = "ok"
_PIECE = 65_536
_NOTHING = re.compile(rb'\s*\{"data":\s*(null|\{"\w+":\s*null)')


class RequestFailed(Exception):
    """A request of a benchmark that takes no failure was answered with something else."""


class SenderDied(Exception):
    """One of those who send together ended by an error: what the others measured is of a smaller load."""


def outcome(status: int, body: bytes) -> str:
    """``ok``, or the status with what went wrong: the code of the first error or problem.

    What says nothing of either is not decoded: who measures should not need a core itself.
    """
    if status == 200 and b'"errors"' not in body and b'"code"' not in body:
        return "200 null" if _NOTHING.match(body) else OK
    try:
        answer: dict[str, Any] = {**json.loads(body)}
    except (ValueError, TypeError):
        return f"{status} no JSON object"
    if errors := answer.get("errors"):
        return f"{status} {errors[0].get('extensions', {}).get('code', 'error')}"
    problems = [found["code"] for found in (answer.get("data") or {}).values() if found and "code" in found]
    return f"{status} {problems[0]}" if problems else OK if status == 200 else str(status)


def check(status: int, body: bytes) -> bytes:
    """The body of an answer that says no error. Raises RequestFailed."""
    if (found := outcome(status, body)) != OK:
        raise RequestFailed(f"{found}: {body[:1_000]!r}")
    return body


def check_page(status: int, content: bytes, has: bytes) -> None:
    """Raise RequestFailed unless a page shows what it is measured for."""
    if status != 200 or has not in content:
        raise RequestFailed(f"{status}, {has!r} is {'' if has in content else 'not '}there")


def failed(counts: Counter[str]) -> int:
    """How many of those were not answered as asked."""
    return counts.total() - counts[OK]


def said(counts: Counter[str]) -> str:
    """For beside the figure."""
    if not failed(counts):
        return f"{counts[OK]:,} answered, none failed"
    kinds = ", ".join(f"{kind}: {count:,}" for kind, count in counts.most_common() if kind != OK)
    return f"{counts[OK]:,} answered, {failed(counts):,} FAILED ({kinds})"


class Client:
    """One kept-alive connection, of one thread. ``counts``: what was answered, by outcome."""

    def __init__(self, port: int, token: str, path: str = "/graphql/", expected: Collection[str] = ()) -> None:
        """``expected``: outcomes that count as answered, such as ``200 QUOTE_CHANGED``."""
        self._port, self._expected = port, expected
        self._socket: socket.socket | None = None
        self._head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {token}\r\nContent-Length: "
        ).encode()
        self.counts: Counter[str] = Counter()

    def ask(self, body: bytes) -> tuple[str, bytes]:
        """Outcome and body. Raises ConnectionError or TimeoutError, counted as no answer."""
        try:
            status, answer = self._exchange(body)
        except OSError:
            self.counts["no answer"] += 1
            raise
        found = outcome(status, answer)
        found = OK if found in self._expected else found
        self.counts[found] += 1
        return found, answer

    def must(self, body: bytes) -> bytes:
        """The answer, which says no error. Raises RequestFailed."""
        found, answer = self.ask(body)
        if found != OK:
            raise RequestFailed(f"{found}: {answer[:1_000]!r}")
        return answer

    def close(self) -> None:
        if self._socket:
            self._socket.close()

    def _exchange(self, body: bytes) -> tuple[int, bytes]:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=60)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(b"%s%d\r\n\r\n%s" % (self._head, len(body), body))
        head, between, answer = b"", b"", b""
        while not between:
            head, between, answer = (head + _receive(self._socket)).partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        pieces, missing = [answer], length - len(answer)
        while missing:
            pieces.append(_receive(self._socket))
            missing -= len(pieces[-1])
        return int(head[9:12]), b"".join(pieces)


def send_together(
    senders: Sequence[Callable[[Callable[[], bool]], None]], seconds: float, watch: Callable[[], None] | None = None
) -> None:
    """Let all send, each on a thread, until ``seconds`` are over; each asks what it is given whether they are.

    ``watch`` is called every second. Raises SenderDied at once when one ends by an error; the others stop then.
    """
    until, stop = time.monotonic() + seconds, Event()

    def is_over() -> bool:
        return stop.is_set() or time.monotonic() >= until

    with ThreadPoolExecutor(len(senders)) as threads:
        running = {threads.submit(sender, is_over) for sender in senders}
        while running:
            done, running = wait(running, timeout=1, return_when=FIRST_EXCEPTION)
            if errors := [error for one in done if (error := one.exception())]:
                stop.set()
                raise SenderDied(f"{len(errors)} of {len(senders)} senders died: {errors[0]!r}") from errors[0]
            if watch:
                watch()


def _receive(connected: socket.socket) -> bytes:
    piece = connected.recv(_PIECE)
    if not piece:
        raise ConnectionResetError("the server hung up")
    return piece
