"""The changes of a portal through Wayout, and the bare SQL that makes the same rows only, side by side on PostgreSQL.

Two databases with the same content: Wayout works in one, with everything it checks and answers; what it wrote is then
written into the other by the same statements, in one transaction, with nothing else. They stay the same.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")

# Sets Django up as what serves does.
import psycopg
from django.db import connection
from django.test import Client
from tqdm import tqdm

import portal.wsgi  # noqa: F401
from bench.client import RequestFailed, check
from bench.databases import database_url, databases
from bench.dataset import Dataset, build
from subscriptions.models import DirectoryUser, License, Subscription

MANY = 10_000
GOAL = ("remove 10,000 users", 3.0)
OPTIONS = "query($id: ID!) { cancellationOptions(subscriptionId: $id) { options { quotes { id mode } } } }"
CANCEL = (
    "mutation($input: CancelSubscriptionInput!) { cancelSubscription(input: $input) { __typename"
    " ... on CancelSubscriptionSuccess { cancellation { id effectiveAt } } ... on Problem { code } } }"
)
REMOVE = (
    "mutation($input: RemoveUsersInput!) { removeUsers(input: $input) { __typename"
    " ... on RemoveUsersSuccess { removedCount cancellationOptions { route } } ... on Problem { code } } }"
)
REQUEST = (
    "mutation($input: RequestCallbackInput!) { requestCallback(input: $input) { __typename"
    " ... on RequestCallbackSuccess { callbackRequest { id } } ... on Problem { code } } }"
)


class Wayout:
    """Asks in process; ``written`` is what the last question wrote."""

    def __init__(self, token: str) -> None:
        self._client = Client()
        self._headers = {"Authorization": f"Bearer {token}"}
        self.written: list[tuple[str, Any]] = []

    def __call__(self, query: str, **variables: Any) -> Any:
        """What the mutation or query answers, which is no problem. Raises RequestFailed."""
        body = json.dumps({"query": query, "variables": variables})
        with connection.execute_wrapper(self._note):
            answer = self._client.post("/graphql/", body, content_type="application/json", headers=self._headers)
        [found] = json.loads(check(answer.status_code, answer.content))["data"].values()
        return found

    def _note(self, execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            self.written.append((sql, params))
        return execute(sql, params, many, context)


class Scenario:
    """What is asked, each time of something fresh."""

    def __init__(self, dataset: Dataset) -> None:
        self.ask = Wayout(dataset.token)
        tenant = Subscription.objects.get(pk=dataset.subscription).tenant
        rows = Subscription.objects.filter(tenant=tenant).order_by("pk").values_list("pk", flat=True)
        self.fresh = iter(rows)
        self.large = Subscription.objects.filter(tenant=tenant).order_by("-pk").values_list("pk", flat=True)[0]
        holders = License.objects.filter(subscription=self.large).order_by("user")
        self.holders = list(holders.values_list("user", flat=True))
        self.number = 0

    def cancel(self) -> None:
        """Quote and cancel."""
        small = next(pk for pk in self.fresh if License.objects.filter(subscription=pk).count() < 25)
        self.ask.written.clear()
        self._began = time.perf_counter()
        options = self.ask(OPTIONS, id=f"sub_{small}")["options"]
        quote = next(q["id"] for option in options for q in option["quotes"] or () if q["mode"] == "IMMEDIATE")
        self.ask(CANCEL, input={"subscriptionId": f"sub_{small}", "quoteId": quote, "idempotencyKey": f"k{small}"})

    def remove(self, count: int) -> None:
        """Remove that many users."""
        self.number += 1
        start = 0 if count == MANY else (self.number * 100) % (MANY - 100)
        users = [f"usr_{pk}" for pk in self.holders[start : start + count]]
        wish = {"subscriptionId": f"sub_{self.large}", "userIds": users, "idempotencyKey": f"r{self.number}"}
        self.ask.written.clear()
        self._began = time.perf_counter()
        if (removed := self.ask(REMOVE, input=wish)["removedCount"]) != count:
            raise RequestFailed(f"{removed} of {count} were removed")

    def callback(self) -> None:
        """Ask to be called."""
        large = next(pk for pk in self.fresh if License.objects.filter(subscription=pk).count() >= 25)
        self.number += 1
        wish = {"subscriptionId": f"sub_{large}", "phone": f"+35988{self.number:07d}", "contactName": "Ada"}
        self.ask.written.clear()
        self._began = time.perf_counter()
        self.ask(REQUEST, input=wish)

    def timed(self, work: Callable[[], None]) -> float:
        """How long it took, without what was prepared for it."""
        work()
        return time.perf_counter() - self._began


def with_many_holders() -> Dataset:
    """100 subscriptions, the last of which has 10,000 holders besides."""
    made = build(1, 100)
    last = Subscription.objects.order_by("-pk")[0]
    users = DirectoryUser.objects.bulk_create(
        DirectoryUser(tenant=last.tenant, principal_name=f"m{n}", principal_key=f"m{n}", display_name=f"Many {n}")
        for n in range(MANY)
    )
    License.objects.filter(subscription=last).delete()
    License.objects.bulk_create([License(subscription=last, user=user, is_direct=True) for user in users])
    return made


def main() -> int:
    """Print the table, and whether the goal is met."""
    rounds = 5 if "--quick" in sys.argv else 15
    datasets: list[Dataset] = []
    times: dict[str, tuple[list[float], list[float]]] = {}
    with databases(
        {1: lambda: datasets.append(with_many_holders()), 2: lambda: datasets.append(with_many_holders())}
    ) as use:
        use(1)
        scenario = Scenario(datasets[0])
        plan: dict[str, tuple[Callable[[], None], int]] = {
            "quote and cancel": (scenario.cancel, rounds),
            "remove 1 user": (lambda: scenario.remove(1), rounds),
            "remove 24 users": (lambda: scenario.remove(24), rounds),
            "request a callback": (scenario.callback, rounds),
            "remove 10,000 users": (lambda: scenario.remove(MANY), max(3, rounds // 3)),
        }
        with psycopg.connect(database_url(2), cursor_factory=psycopg.ClientCursor) as bare:
            bare.execute("SET TIME ZONE 'UTC'")
            bare.commit()
            for name, (work, count) in tqdm(plan.items(), leave=False):
                times[name] = ([], [])
                for number in range(count + 1):
                    took = scenario.timed(work)
                    began = time.perf_counter()
                    with bare.transaction():
                        for sql, params in scenario.ask.written:
                            bare.execute(sql, params)  # type: ignore[arg-type]
                    replayed = time.perf_counter() - began
                    if number:
                        times[name][0].append(took)
                        times[name][1].append(replayed)
                    _assign_again(scenario.large, bare)
            _same(bare)
    _print(times, rounds)
    return 0


def _print(times: dict[str, tuple[list[float], list[float]]], rounds: int) -> None:
    print(f"postgresql: medians of {rounds} rounds (10,000 users: {max(3, rounds // 3)}), none failed\n")
    print(f"{'':22} {'Wayout':>10} {'bare SQL':>10}   times")
    met = True
    for name, (took_, bare_) in times.items():
        one, other = statistics.median(took_) * 1000, statistics.median(bare_) * 1000
        met = met and not (name == GOAL[0] and one / other > GOAL[1])
        print(f"{name:22} {one:7.1f} ms {other:7.1f} ms  {one / other:5.1f}x")
    print("\nThe goal is met." if met else f"\nGoal missed: {GOAL[0]} within {GOAL[1]} times the bare SQL.")


def _assign_again(subscription: int, bare: psycopg.Connection[Any]) -> None:
    sql = "UPDATE subscriptions_license SET is_direct = true, removed_at = NULL WHERE subscription_id = %s AND NOT is_direct"
    with connection.cursor() as cursor:
        cursor.execute(sql, [subscription])
    with bare.transaction():
        bare.execute(sql, [subscription])


def _same(bare: psycopg.Connection[Any]) -> None:
    """Raise RequestFailed unless both databases have as many rows now."""
    for table in (
        "subscriptions_cancellation",
        "desk_callbackrequest",
        "tenants_auditevent",
        "outbox_task",
        "billing_refund",
    ):
        sql = f"SELECT count(*), max(id) FROM {table}"
        with connection.cursor() as cursor:
            cursor.execute(sql)
            ours = cursor.fetchone()
        if bare.execute(sql).fetchone() != ours:  # type: ignore[arg-type]
            raise RequestFailed(f"{table} is not the same in both databases")


if __name__ == "__main__":
    sys.exit(main())
