"""What can go wrong when leaving a subscription. Pure: stable codes and data, no sentences.

``path`` names the field of the mutation's input that the error is about, in the public API's spelling.
The sentences are in wording.py.
"""

from __future__ import annotations

from typing import ClassVar, Self


class SubscriptionError(Exception):
    """Base of every expected failure in the subscriptions room."""

    code: ClassVar[str]
    subscription_id: int = 0

    def __init__(self, *path: str, **data: object) -> None:
        super().__init__(self.code)
        self.path = list(path)
        self.data = data

    def about(self, subscription_id: int) -> Self:
        """Say which subscription it is about, where the caller named something else of it."""
        self.subscription_id = subscription_id
        return self


class NotFound(SubscriptionError):
    """No such object, or one of a tenant that the caller cannot see: both look alike."""

    code = "NOT_FOUND"


class NotPermitted(SubscriptionError):
    """The caller sees the object but its role or scopes forbid the act. data: scope (for a partner token)."""

    code = "NOT_PERMITTED"


class QuoteInvalid(SubscriptionError):
    """Not a quote of ours, or one for another subscription."""

    code = "QUOTE_INVALID"


class QuoteChanged(SubscriptionError):
    """The facts moved since the quote was made. Nothing was changed."""

    code = "QUOTE_CHANGED"


class QuoteExpired(QuoteChanged):
    """The quote is older than it may be. Nothing was changed."""

    code = "QUOTE_EXPIRED"


class RouteNotAvailable(SubscriptionError):
    """The subscription cannot be left this way. data: reason (a policy.decision.Reason)."""

    code = "ROUTE_NOT_AVAILABLE"


class UndoClosed(RouteNotAvailable):
    """The cancellation can no longer be reversed."""

    code = "UNDO_CLOSED"


class IdempotencyKeyReused(SubscriptionError):
    """The key was already used for another input."""

    code = "IDEMPOTENCY_KEY_REUSED"


class InputInvalid(SubscriptionError):
    """A value that is not of its kind. data: rule (what it should have been), limit; or the sentence of who refused it."""

    code = "INPUT_INVALID"


class TooManyUsers(SubscriptionError):
    """More users in one call than it takes. data: limit."""

    code = "TOO_MANY_USERS"


class PhoneInvalid(SubscriptionError):
    """Not even a possible phone number."""

    code = "PHONE_INVALID"


class PhoneRegionUnsupported(SubscriptionError):
    """A number in a country that the desk does not call."""

    code = "PHONE_REGION_UNSUPPORTED"


class PhoneKindUnsupported(SubscriptionError):
    """A premium-rate or shared-cost number."""

    code = "PHONE_KIND_UNSUPPORTED"


class ClaimedElsewhere(SubscriptionError):
    """Another agent has the customer's call."""

    code = "CLAIMED_ELSEWHERE"


class CallbackOpen(SubscriptionError):
    """A request for a call about the subscription is open already. data: callback (its key), reference."""

    code = "CALLBACK_OPEN"


class ChangedMeanwhile(SubscriptionError):
    """Somebody changed it since the page was shown. Nothing was changed."""

    code = "CHANGED_MEANWHILE"


class DoNotCall(SubscriptionError):
    """The number asked not to be called."""

    code = "DO_NOT_CALL"


class TimeZoneInvalid(SubscriptionError):
    """No such IANA time zone."""

    code = "TIME_ZONE_INVALID"


class WindowNotAvailable(SubscriptionError):
    """That window is over, full, on a holiday, or was never one."""

    code = "WINDOW_NOT_AVAILABLE"


class RateLimited(SubscriptionError):
    """Too many requests of one kind. data: limit."""

    code = "RATE_LIMITED"
