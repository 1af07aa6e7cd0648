"""Two server processes against one: how many reads a second each answers, and whose time that is.

Rounds in turns, sixteen connections that ask again as soon as they are answered: half *one*, half *list*
(bench.reads). They are new in every round, so that the kernel deals them out to all processes there are.
"""

from __future__ import annotations

import os
import random
import socket
import statistics
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")

import django

django.setup()

from tqdm import tqdm

from bench import servers
from bench.databases import database_url, databases
from bench.dataset import Dataset, build
from bench.reads import queries
from bench.servers import serving

GOAL = 1.7
_CONNECTIONS = 16
_TICKS = os.sysconf("SC_CLK_TCK")


class Sender:
    """One connection that asks without end. Bytes in, bytes out: who measures should not need a core itself."""

    def __init__(self, port: int, dataset: Dataset, number: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._chance = random.Random(number)
        self._asked = [
            b"POST /graphql/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s" % (dataset.token.encode(), len(body), body)
            for body in queries("Wayout", dataset).values()
        ]
        self.answered = 0

    def run(self, until: float) -> None:
        """Ask until then."""
        while time.monotonic() < until:
            self._socket.sendall(self._chance.choice(self._asked))
            answer = self._socket.recv(65_536)
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), answer
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            missing = length - len(body)
            while missing:
                missing -= len(self._socket.recv(65_536))
            self.answered += 1
        self._socket.close()


def seconds_of(words: Iterable[bytes]) -> float:
    """Processor time so far of the processes in whose command line one of ``words`` is."""
    total = 0
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and any(word in (entry / "cmdline").read_bytes() for word in words):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return total / _TICKS


def main() -> int:
    """Print the table, and whether the goal was missed."""
    rounds, seconds = (3, 2.0) if "--quick" in sys.argv else (7, 5.0)
    datasets: list[Dataset] = []
    rates: dict[int, list[float]] = {1: [], 2: []}
    shares: dict[int, list[tuple[float, float, float]]] = {1: [], 2: []}
    with databases({1: lambda: datasets.append(build(5, 100))}), ExitStack() as stack:
        ports = {}
        for workers in rates:
            command, environment = servers.wayout(database_url(1), workers)
            ports[workers] = stack.enter_context(serving(command, environment))
        for number in tqdm(range(rounds + 1), desc="rounds", leave=False):
            for workers in (1, 2) if number % 2 else (2, 1):
                words = [b"--port\0%d\0" % ports[workers]], [b"postgres"]
                senders = [Sender(ports[workers], datasets[0], n) for n in range(_CONNECTIONS)]
                before = [seconds_of(of) for of in words] + [time.process_time()]
                rate = _round(senders, seconds)
                after = [seconds_of(of) for of in words] + [time.process_time()]
                if number:
                    rates[workers].append(rate)
                    server, database, sender = ((b - a) / seconds for a, b in zip(before, after, strict=True))
                    shares[workers].append((server, database, sender))
    medians = {workers: statistics.median(of) for workers, of in rates.items()}
    print(f"postgresql: medians of {rounds} rounds of {seconds:g} s, {os.cpu_count()} cores\n")
    print(f"{'':16}{'reads a second':>16}{'cores: Wayout':>16}{'PostgreSQL':>12}{'who asks':>10}")
    for workers, of in shares.items():
        cores = [statistics.median(values) for values in zip(*of, strict=True)]
        print(
            f"{workers} process{'es' * (workers > 1):8}{medians[workers]:14.0f}{cores[0]:16.2f}{cores[1]:12.2f}{cores[2]:10.2f}"
        )
    ratio = medians[2] / medians[1]
    print(f"\n{ratio:.2f}x. " + (f"Goal missed: {GOAL}" if ratio < GOAL else "The goal is met."))
    return 0


def _round(senders: list[Sender], seconds: float) -> float:
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=sender.run, args=(until,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(sender.answered for sender in senders) / seconds


if __name__ == "__main__":
    sys.exit(main())
