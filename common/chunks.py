"""Many rows in pieces: a statement takes a limited number of parameters, and memory has an end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.db import connection

Item = TypeVar("Item")
_SIZES = {"sqlite": 1_000, "postgresql": 10_000}


def chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Consecutive pieces of a size that the database takes."""
    size, rest = _SIZES[connection.vendor], iter(items)
    while piece := list(islice(rest, size)):
        yield piece
