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
import tenants.errors
import webhooks.errors
from common.errors import ExpectedError
from portal.graphql.types.options import CancellationOptions, CancellationQuote

_MODULES = (
    common.errors,
    subscriptions.errors,
    desk.errors,
    billing.errors,
    webhooks.errors,
    tenants.errors,
    portal.accounts.errors,
)


def _codes() -> Iterator[type[ExpectedError]]:
    """The classes that bring a code; those without one say another sentence for the code above them."""
    for module in _MODULES:
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, ExpectedError) and "code" in vars(kind):
                yield kind


@strawberry.enum(
    description="What was wrong: of a Problem, and of extensions.code where a query fails. Some only staff and imports meet."
)
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
    code: ProblemCode = strawberry.field(description="Stable; decide by it.")
    message: str = strawberry.field(description="A sentence for people, in the request's language.")
    path: list[str] = strawberry.field(
        description='The field it is about, for example ["input", "phone"]. Empty: about none.'
    )


@strawberry.type(description="What was sent cannot be done, and nothing was.")
class InputProblem(Problem):
    pass


@strawberry.type(description="The facts moved since the quote was made, or it is too old. Nothing was canceled.")
class QuoteChangedProblem(Problem):
    quote: CancellationQuote | None = strawberry.field(description="Null when that mode is no longer on offer.")


@strawberry.type(description="This way is closed, and nothing was done; cancellationOptions says what is open.")
class NotAvailableProblem(Problem):
    cancellation_options: CancellationOptions = strawberry.field(description="What is open instead, as of now.")
