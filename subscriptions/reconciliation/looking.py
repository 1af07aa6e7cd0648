"""What a check is given, what it yields, and the list of all there are.

Two sorts: what *stands open* costs with what is open, by an index that holds nothing else; what is *compared* looks at
rows that moved in a window of time, a day at once. Neither costs with history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from subscriptions.reconciliation.asking import Asking
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """From ``since`` on and before ``until``."""

    since: datetime
    until: datetime

    def of(self, field_name: str) -> dict[str, datetime]:
        """The filter for rows whose ``field_name`` lies in it."""
        return {f"{field_name}__gte": self.since, f"{field_name}__lt": self.until}

    def days(self) -> Iterator[Window]:
        """Pieces of a day, the newest first."""
        until = self.until
        while until > self.since:
            since = max(self.since, until - DAY)
            yield Window(since, until)
            until = since


@dataclass(frozen=True, slots=True)
class Reached:
    """Everything up to ``position`` has been looked at: whoever goes on is given it."""

    position: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at. ``asking``: how providers are asked; None where they are left alone.

    ``again``: what the run before found, by kind. It is looked at whenever it moved, so that a finding stays until it
    is mended.
    """

    now: datetime
    window: Window
    asking: Asking | None = None
    again: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def chosen(self, kind: FindingKind, *moved: QuerySet[Any, Any]) -> set[Any]:
        """The keys to compare for a kind: of what ``moved`` in the window, or of what was found before."""
        if self.again:
            return set(self.again.get(kind, ()))
        return {key for keys in moved for key in keys.iterator() if key is not None}


Yields = Iterator[Finding | Reached]


@dataclass(frozen=True, slots=True)
class Check:
    """``look`` gets a scope and the position that it has reached before, empty at first. ``asks``: which provider."""

    name: str
    look: Callable[[Scope, str], Yields]
    asks: str = ""


CHECKS: list[Check] = []
Look = Callable[[Scope], Iterator[Finding]]


def stands_open(look: Look) -> Look:
    """Register a check of what stands open, however old it is."""
    CHECKS.append(Check(look.__name__, lambda scope, _position: look(scope)))
    return look


def compares(look: Look) -> Look:
    """Register a check that compares what moved in ``scope.window``; first of all what was found before."""

    def look_by_days(scope: Scope, position: str) -> Yields:
        until = datetime.fromisoformat(position) if position else scope.window.until
        if scope.again and not position:
            yield from look(scope)
        for day in Window(scope.window.since, until).days():
            yield from look(replace(scope, window=day, again={}))
            yield Reached(day.since.isoformat())

    CHECKS.append(Check(look.__name__, look_by_days))
    return look
