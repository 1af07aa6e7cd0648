"""What was billed, what was paid, and what goes back. Amounts are integers of the currency's minor unit.

Knows no subscription: a subscription has an Agreement, and everything here hangs on that.
"""

from billing.models.accounts import (
    CURRENCIES,
    IS_UNCONFIRMED,
    Agreement,
    BillingAccount,
    PaymentMethod,
    RenewalStopTerms,
)
from billing.models.charges import IMPORTED, IS_EXCEEDED, Charge, Correction, LedgerEntry, ReturnElsewhere
from billing.models.notices import NoticeReason, ProviderNotice
from billing.models.refunds import (
    FINAL_REFUND_STATUSES,
    PROMISED_REFUND_STATUSES,
    SENDABLE_REFUND_STATUSES,
    STUCK_REFUND_STATUSES,
    UNSETTLED_REFUND_STATUSES,
    PartStatus,
    Refund,
    RefundPart,
    RefundStatus,
)

__all__ = [
    "CURRENCIES",
    "FINAL_REFUND_STATUSES",
    "IMPORTED",
    "IS_EXCEEDED",
    "IS_UNCONFIRMED",
    "PROMISED_REFUND_STATUSES",
    "SENDABLE_REFUND_STATUSES",
    "STUCK_REFUND_STATUSES",
    "UNSETTLED_REFUND_STATUSES",
    "Agreement",
    "BillingAccount",
    "Charge",
    "Correction",
    "LedgerEntry",
    "NoticeReason",
    "PartStatus",
    "PaymentMethod",
    "ProviderNotice",
    "Refund",
    "RefundPart",
    "RefundStatus",
    "RenewalStopTerms",
    "ReturnElsewhere",
]
