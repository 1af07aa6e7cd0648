"""What can go wrong when leaving a subscription, besides what every app meets. Pure.

ExpectedError
├── ExternalIdAmbiguous
├── IdempotencyKeyReused
├── QuoteChanged
│   └── QuoteExpired
├── QuoteInvalid
├── RouteNotAvailable
│   └── UndoClosed
├── SyncRunning
└── TooManyUsers
"""

from __future__ import annotations

from common.codes import N_
from common.errors import ExpectedError, InputInvalid, Plural


class ExternalIdAmbiguous(InputInvalid):
    """Several of the caller's tenants have such a one."""

    sentence = N_("Several of your tenants have something with this id. Say which tenant is meant.")


class QuoteInvalid(ExpectedError):
    """Not a quote of ours, or one for another subscription."""

    code = "QUOTE_INVALID"
    sentence = N_("This is not a quote for this subscription. Ask for a new one.")


class QuoteChanged(ExpectedError):
    """The facts moved since the quote was made. Nothing was changed."""

    code = "QUOTE_CHANGED"
    sentence = N_("Something changed since this quote was made; nothing was canceled.")

    def __init__(self, *path: str, mode: str) -> None:
        """``mode``: the policy.facts.Mode of the quote."""
        super().__init__(*path)
        self.mode = mode


class QuoteExpired(QuoteChanged):
    """The quote is older than it may be. Nothing was changed."""

    code = "QUOTE_EXPIRED"
    sentence = N_("This quote has expired; nothing was canceled. Here is a new one.")


class RouteNotAvailable(ExpectedError):
    """The way is closed for the subscription, or the request for a call is over."""

    code = "ROUTE_NOT_AVAILABLE"
    sentence = N_("This is not possible for this subscription any more. See its options.")

    def __init__(self, *path: str, reason: str = "", subscription_id: int = 0) -> None:
        """``reason``: a policy.decision.Reason. ``subscription_id``: where the caller named something else of it."""
        super().__init__(*path)
        self.reason = reason
        self.subscription_id = subscription_id


class UndoClosed(RouteNotAvailable):
    """The cancellation can no longer be reversed."""

    code = "UNDO_CLOSED"
    sentence = N_("The time to undo this cancellation is over.")


class IdempotencyKeyReused(ExpectedError):
    """The key was already used for another input."""

    code = "IDEMPOTENCY_KEY_REUSED"
    sentence = N_("This idempotency key was already used for something else. Use a new one.")


class TooManyUsers(ExpectedError):
    """More users in one call than it takes."""

    code = "TOO_MANY_USERS"
    sentence = Plural(
        "At most %(limit)d user in one call. Send the rest in another.",
        "At most %(limit)d users in one call. Send the rest in another.",
    )

    def __init__(self, *path: str, limit: int) -> None:
        super().__init__(*path)
        self.limit = limit


class SyncRunning(ExpectedError):
    """Facts of this tenant are coming in, piece by piece: nobody decides on half of them. Nothing was changed."""

    code = "SYNC_RUNNING"
    sentence = N_("The data of this customer is just being brought up to date. Try again in a minute.")
    retry_after = 30
