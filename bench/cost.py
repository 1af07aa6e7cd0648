"""What the dearest documents within the limits cost, in the CPU time of a list of 20: at most 20 of them.

On PostgreSQL, in this process: a document is worth what it keeps a core busy with, however long it takes.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")
os.environ.setdefault("WAYOUT_STATEMENT_TIMEOUT", "0")

from django.test import Client
from graphql import get_introspection_query

import portal.wsgi  # noqa: F401
from bench.client import check
from bench.databases import databases
from bench.dataset import Dataset, at_noon, build
from bench.reads import PAGES

GOAL = 20.0
# Its hash is meant to take long: one a document, and few an account.
PASSWORD = "a password"
_SIZE = 100
_REMOVE = "mutation($input: RemoveUsersInput!) { %s }"


_LICENSES = "licenses(first: 100) { edges { node { id user { id displayName userPrincipalName } } } }"
_EVERYTHING = "id name status cancellationOptions { route options { route message available } }"


def repeated(times: int, field: str) -> str:
    """One field under so many names."""
    return " ".join(f"a{number}: {field}" for number in range(times))


def of_schema(times: int, below: str) -> str:
    return "{" + repeated(times, f"__schema {{ types {{ {below} }} }}") + "}"


def documents(subscription: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """As dear as the limits let each kind be, by what it is."""
    users = [f"usr_{number}" for number in range(1, 6_901)]
    remove = "removeUsers(input: $input) { __typename }"
    windows = f'callbackWindows(subscriptionId: "{subscription}", timeZone: "Europe/Sofia") {{ id label }}'
    return {
        "pages of pages": (f"{{ subscriptions(first: 37) {{ edges {{ node {{ id {_LICENSES} }} }} }} }}", {}),
        "a page of 100": (f"{{ subscriptions(first: 100) {{ edges {{ node {{ {_EVERYTHING} }} }} }} }}", {}),
        "twenty lists": ("{" + repeated(20, f"subscriptions(first: 20) {{ edges {{ node {{ {_EVERYTHING} }} }} }}") + "}", {}),
        "introspection of tools": (get_introspection_query(), {}),
        "types, fields, arguments": (of_schema(7, "name fields { name args { name description } type { name } }"), {}),
        "types of fields": (of_schema(9, "fields { type { ofType { fields { name } } } }"), {}),
        "13,800 ids to remove": (_REMOVE % repeated(2, remove), {
            "input": {"subscriptionId": subscription, "userIds": users, "dryRun": True}
        }),
        "lists of windows": ("{" + repeated(13, windows) + "}", {}),
        PASSWORD: ("mutation($input: SignInInput!) { signIn(input: $input) { __typename } }", {"input": {"password": "another fine horse"}}),
    }  # fmt: skip


def seconds(client: Client, document: str, variables: dict[str, Any]) -> float:
    """CPU of one answer. Raises RequestFailed for one that refuses: a refusal is cheaper."""
    body = json.dumps({"query": document, "variables": variables})
    began = time.process_time()
    answer = client.post("/graphql/", body, content_type="application/json")
    spent = time.process_time() - began
    if b"SIGN_IN" not in answer.content and b'"__typename":"SignIn' not in answer.content:
        check(answer.status_code, answer.content)
    return spent


def main() -> int:
    """Print each document's ratio, and which are over the goal."""
    rounds = 3 if "--quick" in sys.argv else 9
    times: dict[str, list[float]] = {}
    filled: list[Dataset] = []
    with databases({_SIZE: lambda: filled.append(build(2, _SIZE))}) as use, at_noon():
        use(_SIZE)
        [dataset] = filled
        client, stranger = Client(headers={"Authorization": f"Bearer {dataset.token}"}), Client()
        asked = {"a list of 20": (PAGES, {"first": 20}), **documents(f"sub_{dataset.subscription}")}
        for number in range(rounds + 1):
            # Nobody is tried twice.
            asked[PASSWORD][1]["input"]["name"] = f"nobody{number}"
            for name, (document, variables) in asked.items():
                spent = seconds(stranger if name == PASSWORD else client, document, variables)
                if number:
                    times.setdefault(name, []).append(spent)
    print(f"postgresql: medians of {rounds} rounds in turns\n")
    one, over = statistics.median(times["a list of 20"]), []
    for name, spent in times.items():
        ratio = statistics.median(spent) / one
        print(f"{name:28}{statistics.median(spent) * 1000:11.1f} ms of CPU  {ratio:6.2f}x")
        over += [f"{name} {ratio:.1f}x"] if ratio > GOAL and name != PASSWORD else []
    print("\n" + (f"Over {GOAL:.0f}: " + "; ".join(over) if over else f"None costs more than {GOAL:.0f} lists of 20."))
    return 0


if __name__ == "__main__":
    sys.exit(main())
