"""Refunds that whoever runs this pays by other means: note that one was paid."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing.credit_form import CreditForm
from billing.errors import PaidInFuture, PaidTooEarly, RefundHeld, RefundNotOwed, RefundPaidBefore, RefundPaidElsewhere
from billing.models import SENDABLE_REFUND_STATUSES, PartStatus, Refund, RefundStatus
from billing.providers import credit_form
from billing.refunds.moves import lock, move
from tenants.callers import Caller


def mark_paid(*, refund: Refund, paid_at: datetime, reference: str, caller: Caller, now: datetime) -> bool:
    """Note when a refund that is owed was paid, and under which reference; False where that was noted before.

    What follows is what follows when a provider says so. Raises RefundNotOwed where it does not wait for this,
    RefundPaidBefore where it was paid under another reference, and InputInvalid for a time to come, or from before the
    refund was promised.
    """
    with transaction.atomic():
        lock(refund)
        if credit_form(refund.provider) is not CreditForm.OWED:
            raise RefundPaidElsewhere("refundId", provider=refund.provider)
        if refund.status == RefundStatus.SUCCEEDED:
            if before := refund.parts.exclude(reference=reference).first():
                raise RefundPaidBefore("reference", before=before.reference)
            return False
        if refund.status not in SENDABLE_REFUND_STATUSES:
            raise (RefundHeld if refund.status == RefundStatus.HELD else RefundNotOwed)("refundId")
        if paid_at > now:
            raise PaidInFuture("paidAt")
        if paid_at < refund.requested_at:
            raise PaidTooEarly("paidAt")
        refund.parts.exclude(status=PartStatus.SUCCEEDED).update(status=PartStatus.SUCCEEDED, reference=reference)
        values = {"returned_at": paid_at, "found_late_at": None}
        said = {"paid_at": paid_at.isoformat(), "reference": reference}
        return move(refund, SENDABLE_REFUND_STATUSES, RefundStatus.SUCCEEDED, caller, now, values, **said)
