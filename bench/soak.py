"""Mixed traffic at 70 % of what a process can do, for minutes; then three times as much; then the same again.

``python -m bench.soak [--minutes 5]`` on PostgreSQL: 95 % reads, the rest cancellations with their undo,
removals and callbacks with their withdrawal. Prints what was answered and how fast, memory, and connections.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
import os
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")

import django

django.setup()

import psycopg
from django.db import connection
from tqdm import tqdm

from bench import servers
from bench.client import OK, Client, said, send_together
from bench.databases import database_url, databases
from bench.dataset import Dataset, build
from bench.reads import ONE, PAGES
from bench.servers import serving
from bench.writes import CANCEL, OPTIONS, REMOVE, REQUEST
from subscriptions.models import License, Subscription

_SENDERS = 64
_UNDO = "mutation($input: UndoCancellationInput!) { undoCancellation(input: $input) { __typename ... on Problem { code } } }"
_WITHDRAW = "mutation($input: WithdrawCallbackInput!) { withdrawCallback(input: $input) { __typename ... on Problem { code } } }"


# Two at once on one subscription, or on what another one just took back: a problem, said as one, is an answer.
_EXPECTED = ("200 ROUTE_NOT_AVAILABLE", "200 QUOTE_CHANGED", "200 UNDO_CLOSED")
_OVERLOADED = "503 OVERLOADED"


class Traffic:
    """What one sender asks for, by chance, the same every time."""

    def __init__(
        self, port: int, dataset: Dataset, subscriptions: list[int], users: dict[int, list[int]], number: int
    ) -> None:
        self.client = Client(port, dataset.token, expected=_EXPECTED)
        self._chance = random.Random(number)
        self._subscriptions, self._users, self._numbers = subscriptions, users, itertools.count(number * 100_000)
        self.times: list[float] = []

    def once(self) -> None:
        """One request of a reader, or the two or three of somebody who changes something."""
        pk = self._chance.choice(self._subscriptions)
        chance = self._chance.random()
        if chance < 0.55:
            self._send(ONE, id=f"sub_{pk}")
        elif chance < 0.95:
            self._send(PAGES, first=20)
        elif chance < 0.97:
            self._cancel_and_undo(pk)
        elif chance < 0.985:
            user = self._chance.choice(self._users[pk])
            self._send(REMOVE, input={"subscriptionId": f"sub_{pk}", "userIds": [f"usr_{user}"]})
        else:
            self._ask_and_withdraw(pk)

    def _cancel_and_undo(self, pk: int) -> None:
        options = self._send(OPTIONS, id=f"sub_{pk}")
        quotes = [
            q["id"] for o in (options or {}).get("options", ()) for q in o["quotes"] or () if q["mode"] == "IMMEDIATE"
        ]
        if quotes:
            key = f"soak-{next(self._numbers)}"
            done = self._send(
                CANCEL, input={"subscriptionId": f"sub_{pk}", "quoteId": quotes[0], "idempotencyKey": key}
            )
            if done and "cancellation" in done:
                self._send(_UNDO, input={"cancellationId": done["cancellation"]["id"]})

    def _ask_and_withdraw(self, pk: int) -> None:
        wish = {
            "subscriptionId": f"sub_{pk}",
            "phone": f"+35988{next(self._numbers) % 10**7:07d}",
            "contactName": "Ada",
        }
        done = self._send(REQUEST, input=wish)
        if done and "callbackRequest" in done:
            self._send(_WITHDRAW, input={"callbackId": done["callbackRequest"]["id"]})

    def _send(self, query: str, **variables: Any) -> Any:
        """What was answered to it, or None."""
        began = time.perf_counter()
        found, body = self.client.ask(json.dumps({"query": query, "variables": variables}).encode())
        if found != _OVERLOADED:
            self.times.append(time.perf_counter() - began)
        return next(iter(json.loads(body)["data"].values())) if found == OK else None


def run(traffic: list[Traffic], seconds: float, rate: float | None, watch: Callable[[], None] | None = None) -> float:
    """Let all send for that long: as fast as they are answered, or ``rate`` rounds a second; rounds per second.

    Raises SenderDied.
    """
    count = itertools.count()
    done = [0] * len(traffic)
    began = time.monotonic()

    def send(number: int, is_over: Callable[[], bool]) -> None:
        while not is_over():
            if rate:
                due = began + next(count) / rate
                if due >= began + seconds:
                    return
                time.sleep(max(0.0, due - time.monotonic()))
            traffic[number].once()
            done[number] += 1

    with tqdm(total=round(seconds), leave=False) as bar:

        def every_second() -> None:
            bar.update(1)
            if watch:
                watch()

        send_together([functools.partial(send, number) for number in range(len(traffic))], seconds, every_second)
    return sum(done) / seconds


def report(name: str, traffic: list[Traffic]) -> Counter[str]:
    """Print and forget what was counted."""
    counts: Counter[str] = sum((one.client.counts for one in traffic), Counter())
    times = sorted(itertools.chain.from_iterable(one.times for one in traffic)) or [math.nan]
    p50, p99 = statistics.median(times) * 1000, times[int(len(times) * 0.99)] * 1000
    print(f"{name:22} p50 {p50:6.1f} ms  p99 {p99:7.1f} ms  {said(counts)}")
    for one in traffic:
        one.client.counts, one.times = Counter(), []
    return counts


def memory(port: int) -> int:
    """Resident memory of the server's processes, in MB."""
    total = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = open(f"/proc/{pid}/cmdline").read()  # noqa: SIM115 (one line)
            if f"--port\0{port}\0" in command:
                total += int(open(f"/proc/{pid}/statm").read().split()[1]) * 4096  # noqa: SIM115
        except OSError:
            continue
    return total // 1_000_000


def main() -> int:
    """0 when nothing failed, memory and connections stayed, the overload was refused with a code, and it recovered."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=5)
    given = parser.parse_args()
    datasets: list[Dataset] = []
    with databases({1: lambda: datasets.append(build(5, 100))}) as use:
        use(1)
        subscriptions = list(Subscription.objects.filter(tenant__domain="t0.example").values_list("pk", flat=True))
        users: dict[int, list[int]] = {pk: [] for pk in subscriptions}
        for pk, user in License.objects.filter(subscription__in=subscriptions).values_list("subscription", "user"):
            users[pk].append(user)
        connection.close()
        command, environment = servers.wayout(database_url(1))
        with serving(command, environment) as port:
            return _soak(port, datasets[0], subscriptions, users, given.minutes)


def _soak(port: int, dataset: Dataset, subscriptions: list[int], users: dict[int, list[int]], minutes: float) -> int:
    few = [Traffic(port, dataset, subscriptions, users, number) for number in range(8)]
    many = [Traffic(port, dataset, subscriptions, users, 100 + number) for number in range(_SENDERS)]
    sizes, connections = [], []

    def watch() -> None:
        sizes.append(memory(port))
        with psycopg.connect(database_url(1)) as server:
            found = server.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            ).fetchone()
            connections.append(found[0] - 1 if found else 0)

    run(few, 5, None)
    report("warming up", few)
    capacity = run(few, 10, None)
    report(f"capacity {capacity:.0f} rounds/s", few)
    run(few, minutes * 60, capacity * 0.7, watch)
    held = report(f"{minutes:g} min at 70 %", few)
    tenth = max(1, len(sizes) // 10)
    before, after = statistics.median(sizes[tenth : 2 * tenth] or sizes), statistics.median(sizes[-tenth:])
    print(f"{'':22} memory {before:.0f} MB, at the end {after:.0f} MB; at most {max(connections)} connections")
    run(many, 20, capacity * 3)
    over = report("20 s at 300 %", many)
    time.sleep(3)
    run(few, 10, capacity * 0.7)
    again = report("10 s at 70 % again", few)
    return verdict(held, over, again, grown=after > before * 1.1 + 5)


def verdict(held: Counter[str], over: Counter[str], again: Counter[str], *, grown: bool) -> int:
    """0 when nothing failed but what was refused of too much, and memory stayed."""
    good = set(held) == set(again) == {OK} and set(over) <= {OK, _OVERLOADED} and not grown
    print("\n" + ("It holds." if good else "It does not hold."))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
