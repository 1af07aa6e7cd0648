"""Long lists in pieces: SQLite takes a limited number of parameters in one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")
_SIZE = 1_000


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Consecutive pieces of at most 1,000 items."""
    for start in range(0, len(items), _SIZE):
        yield items[start : start + _SIZE]
