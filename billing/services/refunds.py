"""Promise money back, and take a promise back that was not kept yet."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.db.models import F

from billing.errors import RefundExceedsSettled
from billing.models import Agreement, Charge, Refund, RefundPart, RefundStatus
from billing.proration import Line


def request_refund(
    *,
    agreement: Agreement,
    lines: Sequence[Line],
    priced_at: datetime,
    requested_at: datetime,
    held_until: datetime,
    due_by: date,
) -> Refund:
    """Write a refund with one part per line that returns something, inside the caller's transaction.

    HELD while ``held_until`` lies ahead, else PENDING. Reserves the amount on each charge, so that all refunds
    of a charge together never exceed what was settled: raises RefundExceedsSettled, and the database agrees.
    """
    returning = [line for line in lines if line.refund.minor_units]
    refund = Refund.objects.create(
        agreement=agreement,
        amount=sum(line.refund.minor_units for line in returning),
        status=RefundStatus.HELD if held_until > requested_at else RefundStatus.PENDING,
        priced_at=priced_at,
        requested_at=requested_at,
        held_until=held_until,
        due_by=due_by,
    )
    for line in returning:
        amount = line.refund.minor_units
        charge = Charge.objects.filter(pk=line.charge_id, agreement=agreement, settled__gte=F("refunded") + amount)
        if not charge.update(refunded=F("refunded") + amount):
            raise RefundExceedsSettled
        RefundPart.objects.create(
            refund=refund, charge_id=line.charge_id, amount=amount, tax=line.refund_tax.minor_units
        )
    return refund


def void_refund(*, refund: Refund) -> bool:
    """Take back a refund that is still HELD and free its amounts; False when it is past that."""
    held = Refund.objects.filter(pk=refund.pk, status=RefundStatus.HELD)
    if not held.update(status=RefundStatus.VOIDED):
        return False
    for part in refund.parts.all():
        Charge.objects.filter(pk=part.charge_id).update(refunded=F("refunded") - part.amount)
    return True
