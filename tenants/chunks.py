"""Long lists in pieces: a statement takes a limited number of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from django.db import connection

Item = TypeVar("Item")
_SIZES = {"sqlite": 1_000, "postgresql": 10_000}


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Consecutive pieces of a size that the database takes."""
    size = _SIZES[connection.vendor]
    for start in range(0, len(items), size):
        yield items[start : start + size]
