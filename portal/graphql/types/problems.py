"""What an expected failure of a mutation looks like: a member of its payload."""

from __future__ import annotations

from enum import Enum

import strawberry

from portal.graphql.types.options import CancellationOptions, CancellationQuote


@strawberry.enum
class ProblemCode(Enum):
    NOT_AUTHENTICATED = "NOT_AUTHENTICATED"
    NOT_PERMITTED = "NOT_PERMITTED"
    NOT_FOUND = "NOT_FOUND"
    QUOTE_CHANGED = "QUOTE_CHANGED"
    QUOTE_EXPIRED = "QUOTE_EXPIRED"
    QUOTE_INVALID = "QUOTE_INVALID"
    ROUTE_NOT_AVAILABLE = "ROUTE_NOT_AVAILABLE"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    UNDO_CLOSED = "UNDO_CLOSED"
    PHONE_INVALID = "PHONE_INVALID"
    PHONE_REGION_UNSUPPORTED = "PHONE_REGION_UNSUPPORTED"
    PHONE_KIND_UNSUPPORTED = "PHONE_KIND_UNSUPPORTED"
    TIME_ZONE_INVALID = "TIME_ZONE_INVALID"
    WINDOW_NOT_AVAILABLE = "WINDOW_NOT_AVAILABLE"
    DO_NOT_CALL = "DO_NOT_CALL"
    TOO_MANY_USERS = "TOO_MANY_USERS"
    INPUT_INVALID = "INPUT_INVALID"
    RATE_LIMITED = "RATE_LIMITED"
    SIGN_IN_FAILED = "SIGN_IN_FAILED"
    SECOND_FACTOR_REQUIRED = "SECOND_FACTOR_REQUIRED"
    ALREADY_SIGNED_IN = "ALREADY_SIGNED_IN"
    SESSION_ENDED = "SESSION_ENDED"
    RESET_KEY_INVALID = "RESET_KEY_INVALID"


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
