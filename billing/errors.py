"""What can go wrong with money. Pure.

ExpectedError
├── ChargeInvalid
├── InputInvalid
│   ├── PaidInFuture
│   └── PaidTooEarly
├── MoneyInvalid
├── ProviderIdInvalid
│   ├── ProviderBillsNothing
│   ├── ProviderIdMalformed
│   └── ProviderIdTaken
├── RefundExceedsPaid
├── RefundNotOwed
│   ├── RefundHeld
│   └── RefundPaidElsewhere
├── RefundNotPossible
│   ├── RefundAmountMissing
│   ├── RefundMayBePaid
│   ├── RefundOvertaken
│   └── RefundReasonMissing
└── RefundPaidBefore
"""

from __future__ import annotations

from common.codes import N_
from common.errors import ExpectedError, InputInvalid


class ChargeInvalid(ExpectedError):
    """Imports: a charge that contradicts itself or one that is already on record."""

    code = "CHARGE_INVALID"
    sentence = N_("This charge contradicts itself, or what is on record.")

    def __init__(self, detail: str) -> None:
        """``detail``: for the report of an import, in English."""
        super().__init__()
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


class MoneyInvalid(ExpectedError):
    """Imports and staff: an amount that cannot be money, such as a float, too many digits, an unknown currency."""

    code = "MONEY_INVALID"
    sentence = N_("This is not an amount. Write it as this page does, or like 12.50.")

    def __init__(self, detail: str) -> None:
        """``detail``: for the report of an import, in English."""
        super().__init__()
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


class PaidInFuture(InputInvalid):
    """Nothing is marked as paid before it is."""

    sentence = N_("This is in the future: mark it once it is paid.")


class PaidTooEarly(InputInvalid):
    """Paid before there was anything to pay."""

    sentence = N_("This is before the refund was promised.")


class ProviderIdInvalid(ExpectedError):
    """Staff and imports: not an id that the provider uses for a subscription, or that of another one."""

    code = "PROVIDER_ID_INVALID"


class ProviderBillsNothing(ProviderIdInvalid):
    """Not one of the providers that bill."""

    sentence = N_("“%(provider)s” bills nothing here; what does is %(known)s.")

    def __init__(self, *, provider: str, known: str) -> None:
        super().__init__()
        self.provider = provider
        self.known = known


class ProviderIdMalformed(ProviderIdInvalid):
    """No id of this provider's."""

    sentence = N_(
        "“%(external_id)s” is not how %(provider)s calls a subscription: copy its id from there, for example %(example)s"
    )

    def __init__(self, *, provider: str, external_id: str, example: str) -> None:
        super().__init__()
        self.provider = provider
        self.external_id = external_id
        self.example = example


class ProviderIdTaken(ProviderIdInvalid):
    """Another agreement has it."""

    sentence = N_("The id %(external_id)s is that of another subscription.")

    def __init__(self, *, external_id: str) -> None:
        super().__init__()
        self.external_id = external_id


class RefundExceedsPaid(ExpectedError):
    """Staff: more would be returned on a charge than was paid on it."""

    code = "REFUND_EXCEEDS_PAID"
    sentence = N_("That is more than is left of what was paid on this charge.")


class RefundNotOwed(ExpectedError):
    """It does not wait to be marked as paid: its status, or its creditForm, says why."""

    code = "REFUND_NOT_OWED"
    sentence = N_("This refund does not wait to be paid: look at its status.")


class RefundHeld(RefundNotOwed):
    """It can still be taken back."""

    sentence = N_("Nothing is owed yet: the cancellation can still be undone. Pay it after that.")


class RefundPaidElsewhere(RefundNotOwed):
    """Its provider says itself what becomes of it."""

    sentence = N_("“%(provider)s” sees to this refund itself.")

    def __init__(self, *path: str, provider: str) -> None:
        super().__init__(*path)
        self.provider = provider


class RefundNotPossible(ExpectedError):
    """Staff: the refund cannot be sent, or settled by hand, as it stands."""

    code = "REFUND_NOT_POSSIBLE"


class RefundAmountMissing(RefundNotPossible):
    """Nothing, or less, would go back."""

    sentence = N_("The amount has to be above zero.")


class RefundMayBePaid(RefundNotPossible):
    """A part was sent, and the provider has not answered."""

    sentence = N_("The provider may be paying this right now. Wait for its answer.")


class RefundOvertaken(RefundNotPossible):
    """Something was promised since the page was shown: pressed twice, or by somebody else."""

    sentence = N_("A part of this charge was given back meanwhile. Look at what is left, and decide again.")


class RefundReasonMissing(RefundNotPossible):
    """Nobody could tell later why."""

    sentence = N_("Say why: the reason is kept with the refund.")


class RefundPaidBefore(ExpectedError):
    """It was marked as paid before, under another reference: it may have been paid twice."""

    code = "REFUND_PAID_BEFORE"
    sentence = N_("This refund was marked as paid before, under the reference “%(before)s”. Was it paid twice?")

    def __init__(self, *path: str, before: str) -> None:
        super().__init__(*path)
        self.before = before
