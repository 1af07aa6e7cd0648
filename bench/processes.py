"""Two server processes against one: how many reads a second each answers, and whose time that is.

Rounds in turns, sixteen connections that ask again as soon as they are answered: half *one*, half *list*
(bench.reads). They are new in every round, so that the kernel deals them out to all processes there are.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")

import django

django.setup()

from tqdm import tqdm

from bench import servers
from bench.client import OK, Client, failed, said, send_together
from bench.databases import database_url, databases
from bench.dataset import Dataset, build
from bench.reads import queries
from bench.servers import serving

GOAL = 1.7
_CONNECTIONS = 16
_TICKS = os.sysconf("SC_CLK_TCK")


class Sender:
    """One connection that asks as soon as it was answered, *one* or *list* by chance, the same every time."""

    def __init__(self, port: int, token: str, asked: Sequence[bytes], number: int) -> None:
        self.client = Client(port, token)
        self._asked, self._chance = asked, random.Random(number)

    def run(self, is_over: Callable[[], bool]) -> None:
        """Ask until then."""
        while not is_over():
            self.client.ask(self._chance.choice(self._asked))
        self.client.close()


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


@dataclass(slots=True)
class Measured:
    """What was measured of one number of processes, a value for every round; ``counts`` of all rounds."""

    rates: list[float] = field(default_factory=list)
    cores: list[tuple[float, float, float]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def main() -> int:
    """0 when nothing failed; prints the table, and whether the goal was missed."""
    rounds, seconds = (3, 2.0) if "--quick" in sys.argv else (7, 5.0)
    datasets: list[Dataset] = []
    measured = {1: Measured(), 2: Measured()}
    with databases({1: lambda: datasets.append(build(5, 100))}), ExitStack() as stack:
        asked = list(queries("Wayout", datasets[0]).values())
        ports = {}
        for workers in measured:
            command, environment = servers.wayout(database_url(1), workers)
            ports[workers] = stack.enter_context(serving(command, environment))
        for number in tqdm(range(rounds + 1), desc="rounds", leave=False):
            for workers in (1, 2) if number % 2 else (2, 1):
                senders = [Sender(ports[workers], datasets[0].token, asked, n) for n in range(_CONNECTIONS)]
                # The first warms up.
                measure(senders, seconds, ports[workers], measured[workers] if number else Measured())
    print(f"postgresql: medians of {rounds} rounds of {seconds:g} s, {os.cpu_count()} cores\n")
    return report(measured)


def measure(senders: list[Sender], seconds: float, port: int, into: Measured) -> None:
    """One round. Raises SenderDied."""
    words = [b"--port\0%d\0" % port], [b"postgres"]
    before = [seconds_of(of) for of in words] + [time.process_time()]
    send_together([sender.run for sender in senders], seconds)
    after = [seconds_of(of) for of in words] + [time.process_time()]
    counts: Counter[str] = sum((sender.client.counts for sender in senders), Counter())
    server, database, sender = ((b - a) / seconds for a, b in zip(before, after, strict=True))
    into.rates.append(counts[OK] / seconds)
    into.cores.append((server, database, sender))
    into.counts += counts


def report(measured: Mapping[int, Measured]) -> int:
    """Print the table; 1 when requests failed, as the load was another one then."""
    print(f"{'':16}{'reads a second':>16}{'cores: Wayout':>16}{'PostgreSQL':>12}{'who asks':>10}")
    for workers, of in measured.items():
        cores = [statistics.median(values) for values in zip(*of.cores, strict=True)]
        print(
            f"{workers} process{'es' * (workers > 1):8}{statistics.median(of.rates):14.0f}"
            f"{cores[0]:16.2f}{cores[1]:12.2f}{cores[2]:10.2f}   {said(of.counts)}"
        )
    ratio = statistics.median(measured[2].rates) / statistics.median(measured[1].rates)
    if any(failed(of.counts) for of in measured.values()):
        print(f"\n{ratio:.2f}x, but requests failed: that is the figure of a smaller load.")
        return 1
    print(f"\n{ratio:.2f}x. " + (f"Goal missed: {GOAL}" if ratio < GOAL else "The goal is met."))
    return 0


if __name__ == "__main__":
    sys.exit(main())
