"""Relay-style pages, always bounded, by keyset: the cursor names the last row, not its number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Generic, TypeVar

import strawberry

from common.errors import InputInvalid, NumberOutOfRange
from subscriptions.inputs import clean_text

LARGEST_PAGE = 100
First = Annotated[int, strawberry.argument(description="How many, 1 to 100.")]
After = Annotated[
    str | None, strawberry.argument(description="endCursor of the page before. Null: from the beginning.")
]
Row = TypeVar("Row")
LONGEST_SEARCH = 200


@strawberry.type(description="How to go on from a page.")
class PageInfo:
    """Where a page begins and ends."""

    has_next_page: bool = strawberry.field(description="Whether more follow.")
    has_previous_page: bool = strawberry.field(description="Whether this page was asked for with after.")
    start_cursor: str | None = strawberry.field(description="Of the first on this page; null on an empty one.")
    end_cursor: str | None = strawberry.field(description="Of the last on this page, for after; null on an empty one.")


class Page(Generic[Row]):
    """The rows of one page, and whether more follow. One query."""

    def __init__(self, read: Callable[[int], Iterable[Row]], first: int, *, after: bool) -> None:
        """``read`` finds the rows, at most as many as it is told. Raises InputInvalid."""
        if not 1 <= first <= LARGEST_PAGE:
            raise NumberOutOfRange("first", least=1, limit=LARGEST_PAGE)
        found = list(read(first + 1))
        self.rows: Sequence[Row] = found[:first]
        self._more = len(found) > first
        self._after = after

    def info(self, cursors: Sequence[str]) -> PageInfo:
        """The page's PageInfo, given the cursors of its rows."""
        return PageInfo(
            has_next_page=self._more,
            has_previous_page=self._after,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )


def make_cursor(*keys: int) -> str:
    """An opaque cursor from the sort keys of a row."""
    return "-".join(["c", *map(str, keys)])


def read_cursor(text: str, keys: int) -> list[int]:
    """The sort keys in a cursor. Raises InputInvalid for one that was not made by make_cursor."""
    tag, *parts = text.split("-")
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 19]
    if tag != "c" or len(numbers) != keys or make_cursor(*numbers) != text:
        raise InputInvalid("after")
    return numbers


def read_search(text: str | None) -> str:
    """A search text that the database can take. Raises InputInvalid."""
    return clean_text(text or "", "search", limit=LONGEST_SEARCH)
