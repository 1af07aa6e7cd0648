"""A sync document of 200,000 users with two licenses each: how fast, in how much memory; and what others notice of it.

``WAYOUT_BENCH_URL=... python -m bench.sync``. From the first byte to the end of the run, as received by the web process
and worked on by a worker; then again with nothing new. On PostgreSQL. Then, on SQLite too, how long cancellations
of another tenant take alone and while a worker takes a document in. Ends at the first row that is left out and the first
request that fails.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")

# Sets Django up as what serves does.
from django.db import connection, transaction
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import portal.wsgi  # noqa: F401
from bench.client import RequestFailed
from bench.config import ROOT
from bench.databases import databases, use
from bench.dataset import Dataset, build
from bench.writes import Scenario
from subscriptions.directory import runs, work
from subscriptions.models import SyncRun, SyncState
from tenants.models import Tenant
from tenants.people import SYSTEM

USERS, SMALL = 200_000, 300
GOAL, GOAL_AGAIN = 10_000, 1.0
# As many cancellations as a p99 needs, alone; and no more than there are during the run.
ALONE, DURING = 150, 450
_PRODUCTS = ("s1", "s2")
_BATCH = 1_000


def document(users: int, as_of: datetime) -> Iterator[bytes]:
    """Lines of so many users with two licenses each, and that this is all there is."""
    yield json.dumps({"asOf": as_of.isoformat(), "complete": ["users", "licenses"]}).encode() + b"\n"
    for key in _PRODUCTS:
        yield b'{"subscriptions":{"id":"%b","product":"Product %b","status":"active","seats":%d}}\n' % (
            key.encode(), key.encode(), users,
        )  # fmt: skip
    user = b'{"users":{"id":"u%d","principalName":"user%d@big.example","displayName":"Ivan Petrov %d","lastActiveAt":"2026-11-01T10:00:00Z"}}\n'
    license = b'{"licenses":{"subscription":"s1","user":"u%d"}}\n{"licenses":{"subscription":"s2","user":"u%d"}}\n'
    for start in range(0, users, _BATCH):
        yield b"".join(user % (n, n, n) for n in range(start, min(start + _BATCH, users)))
    for start in range(0, users, _BATCH):
        yield b"".join(license % (n, n) for n in range(start, min(start + _BATCH, users)))
    yield b'{"rows":%d}\n' % (3 * users + len(_PRODUCTS))


def receive(tenant: Tenant, users: int) -> SyncRun:
    """Keep such a document, as the web process does."""
    now = timezone.now()
    source = runs.source_of(tenant, "host", "Host")
    run = runs.open_run(source=source, token_id=None, dry_run=False, now=now, is_ndjson=True)
    work.receive(run, document(users, now), now)
    return run


def work_on(pk: int) -> SyncRun:
    """Work on a run until it is over. Raises RequestFailed where anything was left out."""
    work.work_on(pk, caller_of=lambda _run: SYSTEM, until=timezone.now() + timedelta(hours=1))
    run = SyncRun.objects.get(pk=pk)
    if run.state != SyncState.DONE or run.report["left_out"] or run.report["numbers"]:
        raise RequestFailed(f"{run.state}: {run.report}")
    return run


def new_tenant() -> Tenant:
    """Nobody whom cancellations are of."""
    return Tenant.objects.create(name="Big", domain="big.example", external_id="big")


def take_in(tenant: Tenant, users: int) -> float:
    """Rows a second of one document, from its first byte to the end of its run; prints its line."""
    began = time.perf_counter()
    run = receive(tenant, users)
    received = time.perf_counter()
    run = work_on(run.pk)
    took = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    name = "the first time" if run.report["created"] else "again, with nothing new"
    print(
        f"{name:26}{run.rows:9,}{received - began:8.1f} s{took:8.1f} s{run.rows / took:16,.0f}{peak:8.0f} MB",
        flush=True,
    )
    return run.rows / took


def statements(tenant: Tenant) -> int:
    """How many a document with one changed user takes."""
    now = timezone.now()
    user = {"id": "u7", "principalName": "user7@big.example", "displayName": f"Ada at {now}"}
    content = json.dumps({"asOf": now.isoformat(), "users": [user]}).encode()
    source = runs.source_of(tenant, "host", "Host")
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        run = runs.open_run(source=source, token_id=None, dry_run=False, now=now)
        document = runs.Document([content], is_ndjson=False, zone=tenant.zone)
        report = runs.sync_now(run, document, caller=SYSTEM, now=now)
    if report.changed != 1:
        raise RequestFailed(str(report))
    return len(queries)


def cancellations(scenario: Scenario, limit: int, run: SyncRun | None = None) -> list[float]:
    """Seconds that each took, quote and all, one after the other; with a run, no longer than it goes on."""
    times = []
    while len(times) < limit and (run is None or SyncRun.objects.filter(Q(fence__gt=0), pk=run.pk, finished_at=None)):
        times.append(scenario.timed(scenario.cancel))
    return times


def beside(dataset: Dataset, users: int) -> None:
    """Cancellations of one tenant, alone and while a process of its own takes in a document of another."""
    scenario, tenant = Scenario(dataset), new_tenant()
    alone = cancellations(scenario, ALONE)
    run = receive(tenant, users)
    with subprocess.Popen([sys.executable, "-m", "bench.sync", "--work", str(run.pk)], cwd=ROOT) as worker:
        while worker.poll() is None and not SyncRun.objects.filter(pk=run.pk, fence__gt=0).exists():
            time.sleep(0.05)
        during = cancellations(scenario, DURING, run)
    if worker.returncode or not during:
        raise RequestFailed(f"the worker ended with {worker.returncode}, {len(during)} cancellations")
    print(f"\n{'cancellations of another':26}{'number':>9}{'median':>11}{'p99':>11}{'longest':>11}")
    for name, times in (("alone", alone), (f"beside {users:,} users", during)):
        in_order = sorted(times)
        said = (in_order[len(times) // 2], in_order[int(len(times) * 0.99)], in_order[-1])
        print(f"{name:26}{len(times):9,}" + "".join(f"{seconds * 1000:8.0f} ms" for seconds in said), flush=True)


def main() -> int:
    """Print the tables, and which goals were missed."""
    if "--work" in sys.argv:
        use(1)
        work_on(int(sys.argv[-1]))
        return 0
    quick, vendor = "--quick" in sys.argv, connection.vendor
    missed = []
    print(f"{vendor}: nothing left out, none failed\n", flush=True)
    if vendor == "postgresql":
        with databases({1: lambda: None, 2: lambda: None}):
            few = new_tenant()
            work_on(receive(few, SMALL).pk)
            counts = [statements(few)]
            use(1)
            print(f"\n{'':26}{'rows':>9}{'received':>10}{'ended':>10}{'rows a second':>16}{'memory':>11}")
            big = new_tenant()
            rates = [take_in(big, USERS // 10 if quick else USERS) for _ in range(3)]
            counts.append(statements(big))
        print(f"\nstatements of one changed user: {counts[0]} with {SMALL} users, {counts[1]} with many")
        missed += [f"{rates[0]:,.0f} rows a second of {GOAL:,}"] if rates[0] < GOAL else []
        missed += ["nothing new is slower"] if rates[1] < GOAL_AGAIN * rates[0] else []
        missed += ["statements grow"] if len(set(counts)) > 1 else []
    datasets: list[Dataset] = []
    with databases({1: lambda: datasets.append(build(1, ALONE + 2 * DURING))}):
        beside(datasets[0], 20_000 if quick else 100_000)
    print("\n" + ("Goals missed: " + "; ".join(missed) if missed else "Every goal is met."))
    return 0


if __name__ == "__main__":
    sys.exit(main())
