"""A directory in memory with a carrier to it, which goes wrong as it is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from outbox.registry import RetryLater
from subscriptions.carriers.base import (
    ACCEPTED,
    CONFIRMED,
    Carried,
    LicenseRemoval,
    RefusalReason,
)


@dataclass
class FakeCarrier:
    """``held``: who has which subscription there, by names and part numbers; ``groups``: those that a group gives it.

    ``slow``: it accepts first, and has done it when it is looked for the second time. ``calls``: what it was asked, in order.
    """

    tenants: set[int]
    held: set[tuple[str, str]] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    slow: bool = False
    trouble: str = ""
    calls: list[tuple[str, list[int]]] = field(default_factory=list)
    on_its_way: dict[int, int] = field(default_factory=dict)
    before_answer: Callable[[], None] = lambda: None

    def serves(self, tenant_id: int) -> bool:
        return tenant_id in self.tenants

    def look(self, tenant_id: int, removals: Sequence[LicenseRemoval]) -> Mapping[int, Carried]:
        self.calls.append(("look", [one.id for one in removals]))
        self._meet_trouble()
        found = {}
        for one in removals:
            if one.id in self.on_its_way:
                self.on_its_way[one.id] += 1
                if self.on_its_way[one.id] > 1:
                    del self.on_its_way[one.id]
                    self.held.discard(_key(one))
            if _key(one) not in self.held:
                found[one.id] = CONFIRMED
            elif one.id in self.on_its_way:
                found[one.id] = ACCEPTED
        return found

    def carry(self, tenant_id: int, removals: Sequence[LicenseRemoval]) -> Mapping[int, Carried]:
        self.calls.append(("carry", [one.id for one in removals]))
        trouble = self._meet_trouble(but="timeout after")
        said = {one.id: self._carry(one) for one in removals}
        self.before_answer()
        if trouble:
            raise RetryLater("timed out", outage=True)
        return said

    def _carry(self, one: LicenseRemoval) -> Carried:
        if one.user_name in self.groups:
            return Carried.refused(RefusalReason.INHERITED_FROM_GROUP, f"{one.user_name} is in Sales")
        if self.slow and _key(one) in self.held:
            self.on_its_way[one.id] = 0
            return ACCEPTED
        self.held.discard(_key(one))
        return CONFIRMED

    def _meet_trouble(self, but: str = "") -> str:
        """Once: the next call is fine."""
        trouble, self.trouble = self.trouble, ""
        if trouble and trouble != but:
            raise RetryLater(trouble, timedelta(minutes=7 if trouble == "throttled" else 0), outage=True)
        return trouble


def _key(one: LicenseRemoval) -> tuple[str, str]:
    return one.user_name, one.part_number
