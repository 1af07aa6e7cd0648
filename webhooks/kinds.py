"""Which kinds of events there are: each app declares those that it publishes, in its events.py. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

_kinds: dict[str, str] = {}
Kinds = TypeVar("Kinds", bound=type[StrEnum])


def event_kinds(kinds: Kinds) -> Kinds:
    """Declare the members of an enum: names are those of the API, values are what receivers see.

    Raises ValueError for one that is there already.
    """
    for kind in kinds:
        if kind.name in _kinds or kind.value in _kinds.values():
            raise ValueError(f"The event {kind.value} is declared twice.")
        _kinds[kind.name] = kind.value
    return kinds


def known_kinds() -> dict[str, str]:
    """Every kind, by its name in the API. Complete once the apps are ready."""
    return dict(_kinds)
