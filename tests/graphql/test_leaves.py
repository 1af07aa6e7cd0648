"""Leaves that are odd: read at once or by graphql-core, what is said of them is the same."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
import strawberry

from portal.graphql.schema import Schema


@strawberry.enum
class Color(Enum):
    RED = "RED"


@strawberry.type
class Odd:
    here: int = 1

    @strawberry.field
    def none(self) -> int | None:
        return None

    @strawberry.field
    def missing(self) -> int:
        return None  # type: ignore[return-value]

    @strawberry.field
    def too_large(self) -> int:
        return 2**40

    @strawberry.field
    def too_large_or_none(self) -> int | None:
        return 2**40

    @strawberry.field
    def no_number(self) -> int | None:
        return "x"  # type: ignore[return-value]

    @strawberry.field
    def fails(self) -> str:
        raise ValueError("no")

    @strawberry.field
    def fails_or_none(self) -> str | None:
        raise ValueError("no")

    @strawberry.field
    def an_exception(self) -> str | None:
        return ValueError("no")  # type: ignore[return-value]

    @strawberry.field
    def color(self) -> Color:
        return Color.RED

    @strawberry.field
    def no_color(self) -> Color | None:
        return "BLUE"  # type: ignore[return-value]

    @strawberry.field
    def said(self, word: str = "x") -> str:
        return word


@strawberry.type
class OddQuery:
    @strawberry.field
    def odd(self) -> Odd | None:
        return Odd()

    @strawberry.field
    def many(self) -> list[Odd]:
        return [Odd(), Odd()]


def answer(of: type[strawberry.Schema], document: str) -> Any:
    done = of(query=OddQuery).execute_sync(document)
    return done.data, [error.formatted for error in done.errors or []]


FIELDS = [
    "here", "none", "missing", "tooLarge", "tooLargeOrNone", "noNumber", "fails", "failsOrNone", "anException", "color",
    "noColor", "said", 'said(word: "y")', "__typename", "other: here", "here here", "here @skip(if: true)",
]  # fmt: skip


@pytest.mark.parametrize("fields", [*FIELDS, " ".join(FIELDS[:2] + FIELDS[4:6] + ["color", "failsOrNone"])])
def test_an_odd_leaf_is_said_as_by_strawberry(fields: str) -> None:
    for document in (f"{{ odd {{ {fields} }} }}", f"{{ many {{ {fields} color }} }}"):
        assert answer(Schema, document) == answer(strawberry.Schema, document)
