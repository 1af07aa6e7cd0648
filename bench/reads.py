"""The two reads of a portal, in Wayout and in what a team would otherwise write, side by side on PostgreSQL.

(a) how one subscription can be canceled, (b) 20 subscriptions, each with that. One server process each, one connection,
requests in turns; answers are compared before anything is timed.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")

import django

django.setup()

from tqdm import tqdm

from bench import servers
from bench.client import Client, RequestFailed
from bench.config import ROOT
from bench.databases import database_url, databases
from bench.dataset import Dataset, build
from bench.picture import bars
from bench.servers import serving

_FACTS = (
    "isTrial hasPaymentMethod purchasedLicenses assignedLicenses groupAssignedLicenses onlineLicenseLimit"
    " limitIsInclusive policyName policyVersion"
)
_OPTIONS = f"route canAct facts {{ {_FACTS} }} options {{ route available reason usersToRemove }}"
_NODE = (
    "id name tenant { id name timeZone } status isTrial purchasedLicenses assignedLicenses termMonths"
    f" cancellationOptions {{ {_OPTIONS} }}"
)
ONE = f"query($id: ID!) {{ cancellationOptions(subscriptionId: $id) {{ {_OPTIONS} }} }}"
LIST = f"query($first: Int!) {{ subscriptions(first: $first) {{ {_NODE} }} }}"
PAGES = f"query($first: Int!) {{ subscriptions(first: $first) {{ edges {{ node {{ {_NODE} }} }} }} }}"
Times = dict[str, dict[str, list[float]]]  # by query and by who answers, in seconds
GOALS = {
    ("list", "strawberry-django"): 2.0,
    ("list", "graphene-django"): 2.0,
    ("list", "Apollo Server"): 0.95,
    ("one", "bare SQL and orjson"): 0.3,
}


def baselines(url: str) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Their commands by name."""
    return {
        "Wayout": servers.wayout(url),
        "strawberry-django": servers.stock(url, sys.executable, "bench.baselines.strawberry_urls"),
        "graphene-django": servers.graphene(url),
        "Apollo Server": servers.apollo(url),
        "bare SQL and orjson": servers.bare(url),
    }


def queries(name: str, dataset: Dataset) -> dict[str, bytes]:
    """What is asked of a baseline."""
    pages = PAGES if name == "Wayout" else LIST
    asked = {
        "one": {"query": ONE, "variables": {"id": f"sub_{dataset.subscription}"}},
        "list": {"query": pages, "variables": {"first": 20}},
    }
    return {work: json.dumps(body).encode() for work, body in asked.items()}


def plain(answer: bytes) -> Any:
    """What an answer says, however the list is wrapped."""
    data = json.loads(answer)["data"]
    found = data.get("subscriptions", data)
    return [edge["node"] for edge in found["edges"]] if isinstance(found, dict) and "edges" in found else found


def main() -> int:
    """Print the tables, and which goals were missed."""
    quick = "--quick" in sys.argv
    rounds, each = (15, 5) if quick else (60, 10)
    datasets: list[Dataset] = []
    with databases({1: lambda: datasets.append(build(10 if quick else 50, 100))}):
        times = _measure(datasets[0], rounds, each)
    medians = {work: {name: statistics.median(of) * 1000 for name, of in by.items()} for work, by in times.items()}
    print(f"postgresql: medians of {rounds * each} requests in turns, one process each, same answers, none failed\n")
    print(f"{'':22} {'one':>9} {'ratio':>7} {'list':>9} {'ratio':>7}   (ratio: how many times as fast Wayout is)")
    for name in medians["one"]:
        one, listed = medians["one"][name], medians["list"][name]
        ratios = [of / medians[work]["Wayout"] for work, of in (("one", one), ("list", listed))]
        print(f"{name:22} {one:6.2f} ms {ratios[0]:6.2f}x {listed:6.2f} ms {ratios[1]:6.2f}x")
    if "--picture" in sys.argv:
        titles = {"one": "How one subscription can be canceled", "list": "20 subscriptions with their options"}
        bars(ROOT / "docs" / "pictures" / "reads.svg", "Two reads", {titles[w]: medians[w] for w in titles}, "ms")
    missed = [
        f"{work} against {name}: {medians[work][name] / medians[work]['Wayout']:.2f} of {goal}"
        for (work, name), goal in GOALS.items()
        if medians[work][name] / medians[work]["Wayout"] < goal
    ]
    print("\n" + ("Goals missed: " + "; ".join(missed) if missed else "Every goal is met."))
    return 0


def _measure(dataset: Dataset, rounds: int, each: int) -> Times:
    with ExitStack() as stack:
        asked, clients = {}, {}
        for name, (command, environment) in baselines(database_url(1)).items():
            port = stack.enter_context(serving(command, environment))
            clients[name] = Client(port, dataset.token, "/" if name == "Apollo Server" else "/graphql/")
            asked[name] = queries(name, dataset)
        for work in ("one", "list"):
            answers = {name: plain(client.must(asked[name][work])) for name, client in clients.items()}
            if different := [name for name, answer in answers.items() if answer != answers["Wayout"]]:
                raise RequestFailed(f"{', '.join(different)} answers something else for {work}")
        return timed(clients, asked, rounds, each)


def timed(clients: Mapping[str, Client], asked: Mapping[str, Mapping[str, bytes]], rounds: int, each: int) -> Times:
    """Seconds of every request. Raises RequestFailed for the first one that fails: a refusal is faster than an answer."""
    times: Times = {"one": {name: [] for name in clients}, "list": {name: [] for name in clients}}
    turns = [(name, work) for name in clients for work in times]
    for number in tqdm(range(rounds + 3), desc="rounds", leave=False):
        random.Random(number).shuffle(turns)
        for name, work in turns:
            for _ in range(each):
                began = time.perf_counter()
                clients[name].must(asked[name][work])
                took = time.perf_counter() - began
                if number >= 3:  # the first warm up
                    times[work][name].append(took)
    return times


if __name__ == "__main__":
    sys.exit(main())
