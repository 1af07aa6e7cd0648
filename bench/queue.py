"""The callback queue with 200 requests and with 200,000: the default list, a search, and "Claim next".

``WAYOUT_BENCH_URL=... python -m bench.queue``: prints medians, their ratio and the query counts. Three of four requests
are open and due, so that both show a whole page.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")

import django

django.setup()

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tqdm import tqdm

from bench.client import RequestFailed, check_page
from bench.databases import databases
from bench.dataset import at_noon
from billing.models import Agreement, BillingAccount
from common.references import new_reference
from desk.codes import CallbackStatus, CloseReason
from desk.models import CallbackRequest, CallbackSource
from desk.services.claims import claim_next, release_callback
from subscriptions.models import Plan, Subscription
from tenants.models import Tenant, User
from tenants.people import caller_of_staff

SMALL, LARGE = 200, 200_000
ROUNDS = 21
# A dataset with a longer queue has more customers, not busier ones.
_EACH = 20
_CONCURRENCY = 5_000
_LIST = "/admin/desk/callbackrequest/"


def fill(size: int) -> None:
    """A queue of ``size`` requests over a year, deterministic but for the references."""
    now = datetime.now(UTC)
    user = User.objects.create_superuser("boss", "boss@example.com", "x")
    tenants = Tenant.objects.bulk_create(
        [
            Tenant(name=f"Tenant {n}", domain=f"t{n}.example", search_key=f"tenant {n} t{n}.example")
            for n in range(size // _EACH)
        ]
    )
    accounts = BillingAccount.objects.bulk_create([BillingAccount(tenant=tenant) for tenant in tenants])
    plan = Plan.objects.create(part_number="P", name="Business Standard")
    for start in tqdm(range(0, size, _CONCURRENCY), desc=f"{size:,} requests", leave=False):
        numbers = range(start, min(start + _CONCURRENCY, size))
        agreements = Agreement.objects.bulk_create(
            [Agreement(account=accounts[n // _EACH], currency="EUR") for n in numbers]
        )
        subscriptions = Subscription.objects.bulk_create(
            [
                Subscription(tenant=tenants[n // _EACH], plan=plan, agreement=a, renews=False)
                for n, a in zip(numbers, agreements, strict=True)
            ]
        )
        CallbackRequest.objects.bulk_create(
            [_request(n, size, subscription, user, now) for n, subscription in zip(numbers, subscriptions, strict=True)]
        )


def _request(n: int, size: int, subscription: Subscription, user: User, now: datetime) -> CallbackRequest:
    is_open = n % 4 != 0
    requested = now - timedelta(days=365) * ((size - n) / size)
    return CallbackRequest(
        reference=new_reference("R"),
        tenant_id=subscription.tenant_id,
        subscription=subscription,
        requested_by_user=user,
        source=CallbackSource.GRAPHQL.value,
        contact_name="Ada",
        phone=f"+35988{n:07d}",
        language="bg" if n % 3 else "en",
        time_zone="Europe/Sofia",
        requested_at=requested,
        phone_given_at=requested,
        credit_from=requested,
        due_at=requested + timedelta(hours=4),
        next_attempt_at=requested if is_open else None,
        status=(CallbackStatus.NEW if is_open else CallbackStatus.DONE).value,
        closed_at=None if is_open else requested + timedelta(hours=5),
        close_reason="" if is_open else CloseReason.OTHER.value,
    )


def show(client: Client, **query: str) -> None:
    """The list of the queue. Raises RequestFailed."""
    page = client.get(_LIST, query)
    check_page(page.status_code, page.content, b"field-due_at")


def work() -> dict[str, Callable[[], None]]:
    """What is measured, on the database that is in use."""
    user = User.objects.get(username="boss")
    client = Client(raise_request_exception=True)
    client.force_login(user)
    [reference] = CallbackRequest.objects.filter(closed_at=None).order_by("-pk").values_list("reference", flat=True)[:1]
    [phone] = CallbackRequest.objects.filter(closed_at=None).order_by("-pk").values_list("phone", flat=True)[:1]

    def claim() -> None:
        caller, now = caller_of_staff(user), datetime.now(UTC)
        found = claim_next(agent=user, caller=caller, language="en", now=now)
        if not found:
            raise RequestFailed("nothing to claim")
        release_callback(agent=user, caller=caller, callback_id=found.pk, language="en", now=now)

    return {
        "default list": lambda: show(client),
        "search by reference": lambda: show(client, q=reference, queue="all"),
        "search by number": lambda: show(client, q=phone, queue="all"),
        "search by name": lambda: show(client, q="t7.example"),
        "claim next, release": claim,
    }


def main() -> int:
    """Print the table, and whether anything grew by more than half or asked more."""
    rounds = 7 if "--quick" in sys.argv else ROUNDS
    times: dict[tuple[str, int], list[float]] = {}
    queries: dict[tuple[str, int], int] = {}
    with databases({size: lambda size=size: fill(size) for size in (SMALL, LARGE)}) as use, at_noon():  # type: ignore[misc]
        for number in tqdm(range(rounds + 1), desc="rounds", leave=False):
            for size in (SMALL, LARGE) if number % 2 else (LARGE, SMALL):
                use(size)
                for name, act in work().items():
                    act()  # warms what a new connection lacks
                    with CaptureQueriesContext(connection) as captured:
                        began = time.perf_counter()
                        act()
                        took = time.perf_counter() - began
                    queries[name, size] = len(captured)
                    if number:
                        times.setdefault((name, size), []).append(took)
    print(f"{connection.vendor}: {SMALL:,} and {LARGE:,} callback requests, medians of {rounds} rounds, none failed\n")
    print(f"{'':22} {SMALL:>9,} {LARGE:>11,}   ratio  queries")
    good = True
    for name in dict.fromkeys(name for name, _ in times):
        small, large = (statistics.median(times[name, size]) * 1000 for size in (SMALL, LARGE))
        counts = {queries[name, size] for size in (SMALL, LARGE)}
        good = good and large / small <= 1.5 and len(counts) == 1
        print(f"{name:22} {small:6.1f} ms {large:8.1f} ms  {large / small:5.2f}x  {'/'.join(map(str, sorted(counts)))}")
    print("\nNothing grows." if good else "\nSomething grew by more than 1.5.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
