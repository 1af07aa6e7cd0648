"""What can go wrong with money. Pure.

ExpectedError
├── ChargeInvalid
│   ├── ChargeCurrencyDiffers
│   │   └── CorrectionCurrencyDiffers
│   ├── ChargeCurrencyEnded
│   ├── ChargeNegative
│   ├── ChargeOnRecord
│   ├── ChargePaidTooMuch
│   ├── ChargePeriodBackwards
│   ├── ChargePeriodTooFar
│   ├── ChargePeriodTooLong
│   ├── ChargeReturnedTooMuch
│   ├── ChargeTooLarge
│   ├── CorrectionLeavesTax
│   ├── CorrectionNotLess
│   ├── CorrectionOnRecord
│   └── CorrectionTooLarge
├── InputInvalid
│   ├── PaidInFuture
│   └── PaidTooEarly
├── MoneyInvalid
│   ├── AmountTooFine
│   ├── AmountUnreadable
│   │   └── AmountTooLarge
│   ├── CurrenciesDiffer
│   └── CurrencyUnknown
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

# So much of what was typed that its writer knows it again.
_SHOWN = 60


class ChargeInvalid(ExpectedError):
    """Imports: a charge that contradicts itself or one that is already on record."""

    code = "CHARGE_INVALID"

    def __str__(self) -> str:
        return str(self.sentence) % vars(self)


class ChargeCurrencyDiffers(ChargeInvalid):
    """An agreement is charged in one currency, or in one that took its place."""

    sentence = N_("the currency is %(currency)s, all other charges are in %(other)s")

    def __init__(self, *, currency: str, other: str) -> None:
        super().__init__()
        self.currency = currency
        self.other = other


class ChargeCurrencyEnded(ChargeInvalid):
    """Nothing is charged in a currency after its last day."""

    sentence = N_("it is dated %(date)s, %(currency)s ended on %(last_date)s: %(successor)s is charged since")

    def __init__(self, *, currency: str, successor: str, date: str, last_date: str) -> None:
        super().__init__()
        self.currency = currency
        self.successor = successor
        self.date = date
        self.last_date = last_date


class ChargeNegative(ChargeInvalid):
    """What is taken off a charge is a correction of it."""

    sentence = N_("an amount is negative")


class ChargeOnRecord(ChargeInvalid):
    """What was charged once does not change: corrections do that."""

    sentence = N_("it is already on record with other amounts or another period")


class ChargePaidTooMuch(ChargeInvalid):
    """What is on its way counts, too."""

    sentence = N_("more was paid than charged")


class ChargePeriodBackwards(ChargeInvalid):
    """Or it ends as it begins."""

    sentence = N_("the period ends before it starts")


class ChargePeriodTooFar(ChargeInvalid):
    """A date that no calendar here holds, mostly a mistyped year."""

    sentence = N_("its period is not between %(least)s and %(limit)s")

    def __init__(self, *, least: int, limit: int) -> None:
        super().__init__()
        self.least = least
        self.limit = limit


class ChargePeriodTooLong(ChargeInvalid):
    """Mostly a mistyped year."""

    sentence = N_("its period is longer than 10 years")


class ChargeReturnedTooMuch(ChargeInvalid):
    """Refunded elsewhere, or disputed."""

    sentence = N_("more went back than was charged")


class ChargeTooLarge(ChargeInvalid):
    """Sums of such amounts would not fit into a column."""

    sentence = N_("the amount is too large")


class CorrectionCurrencyDiffers(ChargeCurrencyDiffers):
    """A correction is in the currency of its charge."""

    sentence = N_("it is in %(currency)s, the charge it names in %(other)s")


class CorrectionLeavesTax(ChargeInvalid):
    """What is left of a charge contains its tax."""

    sentence = N_("it leaves more tax than amount on the charge it names: say how much of it is tax")


class CorrectionNotLess(ChargeInvalid):
    """Its amount is below zero, and its tax between that and zero."""

    sentence = N_("a correction takes something off, and its tax is a part of that")


class CorrectionOnRecord(ChargeInvalid):
    """What was corrected once does not change."""

    sentence = N_("it is already on record with another amount")


class CorrectionTooLarge(ChargeInvalid):
    """All corrections of a charge together."""

    sentence = N_("a correction cannot exceed the charge it names")


class MoneyInvalid(ExpectedError):
    """Imports and staff: an amount that cannot be money, such as a float, too many digits, an unknown currency."""

    code = "MONEY_INVALID"
    sentence = N_("This is not an amount. Write it as this page does, or like 12.50.")

    def __str__(self) -> str:
        return str(self.sentence) % vars(self)


class AmountTooFine(MoneyInvalid):
    """Nothing is rounded on its way in."""

    sentence = N_("“%(text)s” has more digits than %(currency)s knows.")

    def __init__(self, *, text: str, currency: str) -> None:
        super().__init__()
        self.text = text
        self.currency = currency


class AmountUnreadable(MoneyInvalid):
    """No number, or one that could be two."""

    sentence = N_("“%(text)s” is not an amount. Write it like 12.50.")

    def __init__(self, *, text: str) -> None:
        super().__init__()
        self.text = text[:_SHOWN]


class AmountTooLarge(AmountUnreadable):
    """Sums of such amounts would not fit into a column."""

    sentence = N_("“%(text)s” is too large.")


class CurrenciesDiffer(MoneyInvalid):
    """Nothing is exchanged here."""

    sentence = N_("%(currency)s is neither added to %(other)s nor changed into it.")

    def __init__(self, *, currency: str, other: str) -> None:
        super().__init__()
        self.currency = currency
        self.other = other


class CurrencyUnknown(MoneyInvalid):
    """Not one of ISO 4217."""

    sentence = N_("“%(currency)s” is not an ISO 4217 currency.")

    def __init__(self, *, currency: str) -> None:
        super().__init__()
        self.currency = currency[:_SHOWN]


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
