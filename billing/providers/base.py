"""What a provider declares and promises. Pure: no Django, no clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from billing.credit_form import CreditForm as CreditForm  # noqa: PLC0414 (providers import it from here)
from billing.money import Money
from billing.renewal_stop import RenewalStop
from billing.return_kinds import ReturnKind, ReturnStatus


class RefundOutcome(StrEnum):
    """What the provider says of a refund. PENDING: it has it and will say more."""

    SUCCEEDED = "SUCCEEDED"
    PENDING = "PENDING"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class RefundRequest:
    """One refund of one charge. ``key`` is the same for every attempt at the same thing.

    ``charge`` is our row, ``charge_id`` what the provider calls it. ``amount`` is in the currency that it was charged in,
    ``promised`` what the customer was told: where a currency ended in between, in its successor.
    """

    key: str
    charge: int
    charge_id: str
    amount: Money
    promised: Money
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RefundResult:
    """The provider's word: what became of a request, its own reference for it, and why it failed."""

    outcome: RefundOutcome
    reference: str
    failure: str = ""


@dataclass(frozen=True, slots=True)
class ListedRefund:
    """A refund as the provider lists it: under our ``key``, made ``at``, of an ``amount`` where it says one."""

    key: str
    result: RefundResult
    at: datetime
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class RefundPage:
    """What one call lists, the newest first. With the pages before, all is there that was made ``since`` or later."""

    refunds: Sequence[ListedRefund]
    since: datetime


@dataclass(frozen=True, slots=True)
class PaymentUpdate:
    """A charge that goes by one of these ids has been paid: ``paid`` minor units of ``currency`` in all.

    ``failed``: what was on its way will not arrive. ``at``: when that was so (None: now).
    """

    external_ids: frozenset[str]
    paid: int
    currency: str = ""
    failed: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReturnUpdate:
    """Money of a charge that goes by one of these ids left without us, in minor units, or came back after all.

    ``reference``: the provider's own. ``kind`` NET: ``amount`` is all that was refunded of it, ours as well. ``at``: when
    that was so (None: now).
    """

    external_ids: frozenset[str]
    kind: ReturnKind
    reference: str
    amount: int
    currency: str
    status: ReturnStatus
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefundUpdate:
    """What a provider says by itself of the refund with our ``key``; ``elsewhere``: what it is where that is not ours."""

    key: str
    result: RefundResult
    elsewhere: ReturnUpdate | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionUpdate:
    """Something has changed about what the provider bills under this id: it is asked what."""

    external_id: str


Update = RefundUpdate | PaymentUpdate | ReturnUpdate | SubscriptionUpdate


@dataclass(frozen=True, slots=True)
class Ended:
    """Since when something is billed no more, and the provider's word for why; empty where it gives none."""

    at: datetime
    reason: str = ""


class ProviderUnavailable(Exception):
    """No answer, or none that says what happened. Nothing is known: ask ``find`` before sending again."""

    def __init__(self, reason: str, after: timedelta = timedelta(0)) -> None:
        super().__init__(reason)
        self.after = after


class KeyRefused(ProviderUnavailable):
    """The provider does not take our key: it is as if it were down, and only staff can end that."""


class ProviderUnknown(ProviderUnavailable, LookupError):
    """No provider goes by that name here. As if it were down: whoever runs this can add it, or add it again."""


class ProviderRefused(Exception):
    """A definite no: trying again cannot help. Nothing was changed."""


class NotSigned(Exception):
    """What came to the webhook is not, or no longer, signed by the provider. Also where no secret is configured."""


class NoWebhook(LookupError):
    """The provider says nothing by itself."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable. ``help`` says what to put there; secrets are shown nowhere."""

    name: str
    help: str
    is_required: bool = False
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a provider says of itself.

    ``name``: what agreements and refunds are stored with, so it never changes. ``subscription_id``: the pattern of its
    ids for what it bills, and an example of one for people; empty for one that bills nothing. ``ask_again``: what it has
    and says nothing of yet is asked about again after this.
    """

    name: str
    credit: CreditForm
    settings: tuple[Setting, ...] = ()
    subscription_id: str = ""
    subscription_id_example: str = ""
    ask_again: timedelta = timedelta(minutes=10)


class Provider(ABC):
    """Each method is safe to repeat, ends in time, and raises ProviderUnavailable where it cannot tell.

    Those about a subscription are asked of providers that bill. They raise ProviderRefused where the provider does not
    know it, or cannot bring it back.
    """

    declares: ClassVar[Declaration]

    def __init__(self, settings: Mapping[str, str]) -> None:
        """``settings``: each that it declares, by name; empty where nobody set it. Connects to nobody yet."""
        self.settings = settings

    @abstractmethod
    def refund(self, refund_request: RefundRequest) -> RefundResult:
        """Give the money back. The same key never gives it back twice while the provider remembers it."""

    @abstractmethod
    def find(self, refund_request: RefundRequest) -> RefundResult | None:
        """What became of a refund, asked by its key, also long after keys are forgotten. None: never arrived."""

    def refunds_between(self, since: datetime, until: datetime) -> Iterator[RefundPage] | None:
        """All refunds under keys of ours that it made from ``since`` on and before ``until``; None: it lists none.

        The newest first. Each page is one call, made when it is asked for.
        """
        return None

    def go_on(self, external_id: str) -> None:
        """Bill on as if it had never been told to stop."""
        raise ProviderRefused(f"{self.declares.name} bills nothing")

    def stop_at_period_end(self, external_id: str) -> None:
        """Bill no further period. Can be taken back by go_on. What has stopped already agrees."""
        raise ProviderRefused(f"{self.declares.name} bills nothing")

    def stop_now(self, external_id: str) -> None:
        """Stop for good. Cannot be taken back; what has stopped already agrees."""
        raise ProviderRefused(f"{self.declares.name} bills nothing")

    def renewal_stop(self, external_id: str) -> RenewalStop:
        """What becomes of it at the provider now. NOW: it has stopped."""
        raise ProviderRefused(f"{self.declares.name} bills nothing")

    def ended(self, external_id: str) -> Ended | None:
        """Since when and why it has stopped; None while it is billed, and where the provider does not say."""
        return None

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Update]:
        """What the provider says by itself, in the order it is to be taken; nothing for what is nothing of ours.

        Names of ``headers`` may be asked in any case. Raises NotSigned for what anybody could have sent, and for what
        is old. Nothing that is signed raises anything else.
        """
        raise NoWebhook(self.declares.name)

    def problems(self) -> Sequence[str]:
        """What is wrong with its settings besides that a required one is missing: sentences for whoever runs this."""
        return ()
