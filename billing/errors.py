"""What can go wrong with money. Pure: each error has a stable code and data, no sentences."""

from __future__ import annotations


class BillingError(Exception):
    """Base of every expected failure in the billing room."""

    code = "BILLING_ERROR"


class MoneyInvalid(BillingError):
    """An amount that cannot be money: a float, too many digits, an unknown currency."""

    code = "MONEY_INVALID"


class ChargeInvalid(BillingError):
    """A charge that contradicts itself or one that is already on record."""

    code = "CHARGE_INVALID"


class RefundExceedsSettled(BillingError):
    """More would be returned on a charge than was settled on it."""

    code = "REFUND_EXCEEDS_SETTLED"


class RefundNotPossible(BillingError):
    """Staff asked for a move that makes no sense: without a reason or amount, or while a provider may be paying."""

    code = "REFUND_NOT_POSSIBLE"


class ProviderIdInvalid(BillingError):
    """An id that nothing can be told by: ``provider`` bills nothing here, another ``shape``, or ``taken``."""

    code = "PROVIDER_ID_INVALID"
