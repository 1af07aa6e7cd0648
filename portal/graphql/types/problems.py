"""What an expected failure of a mutation looks like: a member of its payload."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import strawberry

import billing.errors
import common.errors
import desk.errors
import portal.accounts.errors
import subscriptions.errors
from common.errors import ExpectedError
from portal.graphql.types.options import CancellationOptions, CancellationQuote


def _codes() -> Iterator[type[ExpectedError]]:
    """The classes that bring a code; those without one say another sentence for the code above them."""
    for module in (common.errors, subscriptions.errors, desk.errors, billing.errors, portal.accounts.errors):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, ExpectedError) and "code" in vars(kind):
                yield kind


@strawberry.enum(description="What was wrong: stable, in every language.")
class ProblemCode(Enum):
    # Its members are the classes: a code that the API does not know would be a fault where it is answered.
    vars().update(
        {
            kind.code: strawberry.enum_value(kind.code, description=(kind.__doc__ or "").partition("\n")[0])
            for kind in _codes()
        }
    )


@strawberry.interface(
    description="Every expected failure of a mutation. Clients can always select '... on Problem { code message }'."
)
class Problem:
    code: ProblemCode
    message: str
    path: list[str]


@strawberry.type
class InputProblem(Problem):
    pass


@strawberry.type
class QuoteChangedProblem(Problem):
    quote: CancellationQuote | None = strawberry.field(description="Null when that mode is no longer on offer.")


@strawberry.type
class NotAvailableProblem(Problem):
    cancellation_options: CancellationOptions
