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
from contextlib import ExitStack
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")

import django

django.setup()

from tqdm import tqdm

from bench import servers
from bench.config import ROOT
from bench.databases import database_url, databases
from bench.dataset import Dataset, build
from bench.picture import bars
from bench.servers import Asker, serving

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
GOALS = {
    ("list", "strawberry-django"): 2.0,
    ("list", "graphene-django"): 2.0,
    ("list", "Apollo Server"): 0.33,
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


def plain(answer: tuple[int, bytes]) -> Any:
    """What an answer says, however the list is wrapped."""
    status, body = answer
    assert status == 200, body
    data = json.loads(body)["data"]
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
    print(f"postgresql: medians of {rounds * each} requests in turns, one process each, same answers\n")
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


def _measure(dataset: Dataset, rounds: int, each: int) -> dict[str, dict[str, list[float]]]:
    url = database_url(1)
    with ExitStack() as stack:
        asked, askers = {}, {}
        for name, (command, environment) in baselines(url).items():
            port = stack.enter_context(serving(command, environment))
            askers[name] = Asker(port, dataset.token, "/" if name == "Apollo Server" else "/graphql/")
            asked[name] = queries(name, dataset)
        for work in ("one", "list"):
            expected = plain(askers["Wayout"](asked["Wayout"][work]))
            for name, asker in askers.items():
                assert plain(asker(asked[name][work])) == expected, f"{name} answers something else for {work}"
        times: dict[str, dict[str, list[float]]] = {"one": {n: [] for n in askers}, "list": {n: [] for n in askers}}
        turns = [(name, work) for name in askers for work in times]
        for number in tqdm(range(rounds + 3), desc="rounds", leave=False):
            random.Random(number).shuffle(turns)
            for name, work in turns:
                for _ in range(each):
                    began = time.perf_counter()
                    status, _ = askers[name](asked[name][work])
                    took = time.perf_counter() - began
                    assert status == 200
                    if number >= 3:  # the first warm up
                        times[work][name].append(took)
        return times


if __name__ == "__main__":
    sys.exit(main())
