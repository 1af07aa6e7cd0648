"""Whatever is asked, said, listed and confirmed of removals, in whatever order: a few lines of Python say what then stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from subscriptions.carriers.base import CONFIRMED
from subscriptions.directory.settling import Settled, confirm_gone
from subscriptions.models import License, Removal
from tenants.models import Tenant
from tests.builders import NOW
from tests.subscriptions.test_removals import REFUSED, bought, pending, remove, settle, users_of
from tests.world import World

USERS = 3
USER = st.integers(0, USERS - 1)
STEP = st.one_of(
    st.tuples(st.just("remove"), st.lists(USER, min_size=1, max_size=3, unique=True)),
    st.tuples(st.just("remove"), st.lists(USER, min_size=1, max_size=3, unique=True)),
    st.tuples(st.just("settle"), USER, st.booleans()),
    st.tuples(st.just("settle"), USER, st.booleans()),
    st.tuples(st.just("list takes"), USER),
    st.tuples(st.just("list gives"), USER),
    st.tuples(st.just("confirm gone")),
    st.tuples(st.just("who"), st.sampled_from(["LOCAL", "HOST"])),
)


@dataclass
class Expected:
    """Who holds a license, and the statuses of the removals of each, in order."""

    is_local: bool = False
    held: set[int] = field(default_factory=lambda: set(range(USERS)))
    removals: list[list[str]] = field(default_factory=lambda: [[] for _ in range(USERS)])

    def is_open(self, user: int) -> bool:
        return self.removals[user][-1:] == ["REQUESTED"]

    def decide(self, user: int, status: str) -> None:
        self.removals[user][-1] = status
        if status == "CONFIRMED":
            self.held.discard(user)

    def remove(self, user: int) -> str:
        if user not in self.held:
            return "NOT_ASSIGNED"
        if self.is_local:
            self.held.discard(user)
            if self.is_open(user):
                self.decide(user, "CONFIRMED")
            return "REMOVED"
        if not self.is_open(user):
            self.removals[user].append("REQUESTED")
        return "REQUESTED"

    def settle(self, user: int, status: str) -> str:
        if not self.removals[user]:
            return "unknown"
        if self.is_open(user):
            self.decide(user, status)
        return "settled" if self.removals[user][-1] == status else "conflict"


class TestEverySequence(TestCase):
    @settings(max_examples=60)
    @given(st.lists(STEP, max_size=20))
    def test_of_what_happens_to_removals(self, steps: list[tuple[Any, ...]]) -> None:
        world = World.build(removals="HOST", external_id="c-1")
        subscription, expected, at = bought(world, USERS), Expected(), NOW
        users = users_of(subscription)
        licenses = [License.objects.filter(user=user) for user in users]
        for what, *given_ in steps:
            at += timedelta(minutes=1)
            match what, given_:
                case "remove", [chosen]:
                    answer = remove(world, subscription, [users[n] for n in chosen], at=at)
                    assert [one.outcome for one in answer.removals] == [expected.remove(n) for n in chosen]
                case "settle", [n, confirmed]:
                    said = settle((users[n], CONFIRMED if confirmed else REFUSED), at=at)
                    became = expected.settle(n, "CONFIRMED" if confirmed else "REFUSED")
                    name = f"u-{users[n]}"
                    assert said == {
                        "settled": Settled(1), "conflict": Settled(0, [name]), "unknown": Settled(0, [], [name]),
                    }[became]  # fmt: skip
                case "list takes", [n]:
                    licenses[n].update(is_direct=False, removed_at=at)
                    expected.held.discard(n)
                case "list gives", [n]:
                    licenses[n].update(is_direct=True, removed_at=None)
                    expected.held.add(n)
                case "confirm gone", _:
                    confirm_gone(at)
                    for n in range(USERS):
                        if expected.is_open(n) and n not in expected.held:
                            expected.decide(n, "CONFIRMED")
                case "who", [removals]:
                    Tenant.objects.update(removals=removals)
                    expected.is_local = removals == "LOCAL"
            found = [Removal.objects.filter(license__user=user).order_by("pk") for user in users]
            assert [list(rows.values_list("status", flat=True)) for rows in found] == expected.removals
            on_its_way = sum(expected.is_open(n) for n in expected.held)
            assert pending(subscription) == (len(expected.held), on_its_way)
