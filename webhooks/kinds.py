"""Which kinds of events there are: each app declares those that it publishes, in its events.py. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar, cast

from common.codes import CodeTable


class EventKind(Protocol):
    """One row: its name is that of the API, its value what receivers see, its description what the schema says."""

    value: str
    description: str


_kinds: dict[str, EventKind] = {}
Kinds = TypeVar("Kinds", bound=type[CodeTable])


def event_kinds(kinds: Kinds) -> Kinds:
    """Declare the rows of a table with the column ``description``. Raises ValueError for one that is there already."""
    for kind in kinds:
        if kind.name in _kinds or kind.value in {known.value for known in _kinds.values()}:
            raise ValueError(f"The event {kind.value} is declared twice.")
        _kinds[kind.name] = cast(EventKind, kind)
    return kinds


def known_kinds() -> Mapping[str, EventKind]:
    """Every kind, by its name in the API. Complete once the apps are ready."""
    return dict(_kinds)
