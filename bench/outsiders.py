"""Refunds beside outsiders who are silent, against refunds alone: the mail server, the receivers of events and the broker.

A worker of its own pays them back on PostgreSQL, in turns; measured is from the first refund to the last. Then once more
with a worker that is killed on the way: what it held is another's after a lease.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")
os.environ["WAYOUT_PROVIDER"] = "ledger"

import django

django.setup()

from django.db.models import Max, Min
from django.utils import timezone
from tqdm import tqdm

from bench.config import ROOT
from bench.databases import database_url, databases
from bench.dataset import Dataset, build
from billing.models import Refund
from outbox.lanes import Lanes
from outbox.models import Task
from outbox.worker import LEASE
from subscriptions.cancellations.service import cancel_subscription
from subscriptions.cancellations.signing import quote_id
from subscriptions.models import Subscription
from subscriptions.policy.facts import Mode
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.models import PartnerToken, Tenant, User
from tenants.people import SYSTEM, caller_of_person
from webhooks.endpoints import register
from webhooks.models import Endpoint

GOAL = 1.1
RECEIVERS = 5
_SIZE = 1


def later() -> datetime:
    """When no undo is open any more."""
    return timezone.now() + timedelta(days=4)


def cancel(person: User, count: int) -> None:
    """So many that were not canceled yet, with something to pay back."""
    caller, now = caller_of_person(person), timezone.now()
    for subscription in Subscription.objects.filter(canceled_mode=None).order_by("pk").iterator():
        decision = SubscriptionBatch.get(caller, subscription.pk, now).decisions[subscription.pk]
        if count and (quote := decision.quote(Mode.IMMEDIATE)):
            given = {"tenant_id": subscription.tenant_id, "subscription_id": subscription.pk}
            cancel_subscription(
                caller=caller, subscription_id=subscription.pk, quote_id=quote_id(quote, **given),
                idempotency_key=f"k{subscription.pk}", language="en", now=now,
            )  # fmt: skip
            count -= 1
    if count:
        raise SystemExit("There are too few that can be canceled online.")


@contextmanager
def silent() -> Iterator[int]:
    """A port where calls are taken, and nobody says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=500) as server:
        yield int(server.getsockname()[1])


def worker(**environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "bench.outsiders", "--work"]
    given = {**os.environ, "WAYOUT_BENCH_URL": database_url(_SIZE), **environment}
    return subprocess.Popen(command, cwd=ROOT, env=given, stderr=subprocess.DEVNULL)


def seconds(person: User, count: int, environment: dict[str, str], *, kill: bool = False) -> float:
    """From the first of so many refunds to the last."""
    Task.objects.all().delete()
    before = Refund.objects.aggregate(last=Max("pk"))["last"] or 0
    cancel(person, count)
    mine = Refund.objects.filter(pk__gt=before)
    running = worker(**environment)
    try:
        while (left := mine.exclude(status="SUCCEEDED").count()) or not mine.exists():
            if kill and left < count / 2:
                running.send_signal(signal.SIGKILL)
                running.wait()
                running, kill = worker(**environment), False
            time.sleep(0.05)
    finally:
        running.kill()
        running.wait()
    span = mine.aggregate(first=Min("returned_at"), last=Max("returned_at"))
    return float((span["last"] - span["first"]).total_seconds())


def main() -> int:
    """Print the ratio, and whether the goal was missed."""
    rounds, count = (3, 60) if "--quick" in sys.argv else (7, 200)
    filled: list[Dataset] = []
    with ExitStack() as stack:
        use = stack.enter_context(databases({_SIZE: lambda: filled.append(build(1, 4 * count * (rounds + 2)))}))
        use(_SIZE)
        port = stack.enter_context(silent())
        tenant = Tenant.objects.get()
        tenant.memberships.create(user=(person := User.objects.create_user("admin")), role="GLOBAL_ADMIN")
        for number in range(RECEIVERS):
            register(
                partner=PartnerToken.objects.get().partner, url=f"http://127.0.0.1:{port}/{number}", events=[],
                contact_email="", language="en", caller=SYSTEM, now=timezone.now(),
            )  # fmt: skip
        bad = {"WAYOUT_EMAIL_URL": f"smtp://127.0.0.1:{port}", "WAYOUT_BROKER_URL": f"redis://127.0.0.1:{port}/0"}
        times: dict[str, list[float]] = {"alone": [], "beside silent outsiders": []}
        for number in tqdm(range(rounds), desc="rounds", leave=False):
            for name in sorted(times, reverse=number % 2 == 0):
                # Whoever is disabled hears of nothing.
                Endpoint.objects.update(disabled_at=timezone.now() if name == "alone" else None)
                times[name].append(seconds(person, count, {"WAYOUT_EMAIL_URL": "dummy://"} if name == "alone" else bad))
        killed = seconds(person, count, bad, kill=True)
    return report(times, killed, count)


def report(times: dict[str, list[float]], killed: float, count: int) -> int:
    """Print medians and their ratio."""
    medians = {name: statistics.median(of) for name, of in times.items()}
    print(f"postgresql: {count} refunds, medians of {len(times['alone'])} rounds in turns\n")
    for name, of in times.items():
        print(f"{name:26}{medians[name]:8.2f} s   ({min(of):.2f} to {max(of):.2f})")
    print(f"{'and its worker killed':26}{killed:8.2f} s   (a lease: {LEASE.total_seconds():.0f} s)")
    alone, beside = medians.values()
    missed = beside > GOAL * alone or killed > GOAL * alone + LEASE.total_seconds() + 10
    print(
        f"\n{beside / alone:.2f}x. "
        + ("Goal missed: a tenth, and a lease for a kill" if missed else "The goal is met.")
    )
    return 0


if __name__ == "__main__":
    if "--work" in sys.argv:
        Lanes(clock=later).work()
    sys.exit(main())
