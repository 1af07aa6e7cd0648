"""What a provider promises. Pure: no Django, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from billing.errors import BillingError
from billing.money import Money


class Outcome(StrEnum):
    """What the provider says of a refund. PENDING: it has it and will say more."""

    SUCCEEDED = "SUCCEEDED"
    PENDING = "PENDING"
    FAILED = "FAILED"


class Ending(StrEnum):
    """What becomes of what a provider bills: it goes on, stops at the period's end, or stops now."""

    NONE = "NONE"
    AT_PERIOD_END = "AT_PERIOD_END"
    NOW = "NOW"


@dataclass(frozen=True, slots=True)
class Order:
    """One refund of one charge. ``key`` is the same for every attempt at the same thing.

    ``charge`` is our row, ``charge_id`` what the provider calls it.
    """

    key: str
    charge: int
    charge_id: str
    amount: Money
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Result:
    """The provider's word: what became of an order, its own reference for it, and why it failed."""

    outcome: Outcome
    reference: str
    failure: str = ""


class ProviderUnavailable(BillingError):
    """No answer, or none that says what happened. Nothing is known: ask ``find`` before sending again."""

    code = "PROVIDER_UNAVAILABLE"

    def __init__(self, reason: str, after: timedelta = timedelta(0)) -> None:
        super().__init__(reason)
        self.after = after


class KeyRefused(ProviderUnavailable):
    """The provider does not take our key: it is as if it were down, and only staff can end that."""

    code = "PROVIDER_KEY_REFUSED"


class ProviderRefused(BillingError):
    """A definite no: trying again cannot help. Nothing was changed."""

    code = "PROVIDER_REFUSED"


class Provider(Protocol):
    """Each method is safe to repeat. All raise ProviderUnavailable when they cannot tell.

    Those about a subscription raise ProviderRefused where the provider does not know it, or cannot bring it back.
    """

    def refund(self, order: Order) -> Result:
        """Give the money back. The same key never gives it back twice while the provider remembers it."""

    def find(self, order: Order) -> Result | None:
        """What became of an order, asked by its key, also long after keys are forgotten. None: never arrived."""

    def go_on(self, external_id: str) -> None:
        """Bill on as if it had never been told to stop."""

    def stop_at_period_end(self, external_id: str) -> None:
        """Bill no further period. Can be taken back by go_on."""

    def stop_now(self, external_id: str) -> None:
        """Stop for good. Cannot be taken back; a provider that already stopped agrees."""

    def ending(self, external_id: str) -> Ending:
        """What becomes of it at the provider now. NOW: it has stopped."""
