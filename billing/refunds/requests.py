"""Promise money back, by rule or by hand, and take a promise back or change it before it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from django.db import transaction
from django.db.models import F

from billing.errors import (
    RefundAmountMissing,
    RefundExceedsPaid,
    RefundMayBePaid,
    RefundOvertaken,
    RefundReasonMissing,
)
from billing.models import (
    UNSETTLED_REFUND_STATUSES,
    Agreement,
    Charge,
    PartStatus,
    Refund,
    RefundPart,
    RefundStatus,
)
from billing.proration import Line
from billing.refunds.moves import audit_refund, lock, move
from billing.refunds.sending import ask_to_send
from billing.selectors import provider_of
from billing.signals import refund_left_early
from tenants.actions import Action
from tenants.callers import Caller


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

    HELD while ``held_until`` lies ahead, else PENDING; sent from then on. Reserves the amount on each charge, so
    that all refunds of a charge together never exceed what was paid: raises RefundExceedsPaid, and the
    database agrees.
    """
    returning = [(line.charge_id, line.refund.minor_units, line.refund_tax.minor_units) for line in lines]
    refund = Refund.objects.create(
        agreement=agreement,
        amount=sum(amount for _, amount, _ in returning),
        status=RefundStatus.HELD if held_until > requested_at else RefundStatus.PENDING,
        priced_at=priced_at,
        requested_at=requested_at,
        held_until=held_until,
        due_by=due_by,
        provider=provider_of(agreement),
    )
    for charge_id, amount, tax in returning:
        if amount:
            _reserve(refund, charge_id, amount, tax)
    ask_to_send(refund, max(held_until, requested_at), requested_at)
    return refund


def void_refund(*, refund: Refund, caller: Caller, now: datetime) -> bool:
    """Take back a refund that is still HELD and free its amounts; False when it is past that."""
    if not move(refund, (RefundStatus.HELD,), RefundStatus.VOIDED, caller, now):
        return False
    for part in refund.parts.all():
        Charge.objects.filter(pk=part.charge_id).update(refunded=F("refunded") - part.amount)
    return True


def settle_by_hand(*, refund: Refund, reason: str, caller: Caller, now: datetime) -> bool:
    """Note that the money went back another way; False when the refund is over already.

    What was still held cannot be undone from then on. Raises RefundNotPossible without a reason, and while a provider may still be paying it.
    """
    if not reason.strip():
        raise RefundReasonMissing
    with transaction.atomic(durable=True):
        lock(refund)
        if refund.parts.filter(status=PartStatus.SENT).exists():
            raise RefundMayBePaid
        why, was = reason.strip(), refund.status
        values = {"returned_at": now, "reason": why[:300]}
        moved = move(refund, UNSETTLED_REFUND_STATUSES, RefundStatus.SETTLED_MANUALLY, caller, now, values, reason=why)
        if moved and was == RefundStatus.HELD:
            refund_left_early.send(sender=Refund, refund=refund, now=now)
        return moved


def refund_by_hand(*, charge: Charge, amount: int, reason: str, due_by: date, caller: Caller, now: datetime) -> Refund:
    """Give back ``amount`` minor units of one charge, its tax in proportion, besides what rules say, for a reason.

    ``charge`` is as whoever decides has seen it. Raises RefundNotPossible without a reason or amount, and where a part
    of it was promised since (pressed twice, or by somebody else); RefundExceedsPaid above what is left of it.
    """
    if not reason.strip() or amount <= 0:
        raise RefundReasonMissing if amount > 0 else RefundAmountMissing
    with transaction.atomic(durable=True):
        Agreement.objects.select_for_update(no_key=True).get(pk=charge.agreement_id)
        if not Charge.objects.filter(pk=charge.pk, refunded=charge.refunded).exists():
            raise RefundOvertaken
        refund = Refund.objects.create(
            agreement=charge.agreement,
            amount=amount,
            status=RefundStatus.PENDING,
            priced_at=now,
            requested_at=now,
            held_until=now,
            due_by=due_by,
            provider=provider_of(charge.agreement),
            by_hand=True,
            reason=reason.strip()[:300],
        )
        _reserve(refund, charge.pk, amount, charge.tax_in(amount))
        ask_to_send(refund, now, now)
        audit_refund(refund, Action.REFUND_BY_HAND, caller, now, reason=reason.strip())
        return refund


def resize_refund(*, refund: Refund, amounts: Mapping[RefundPart, int], now: datetime) -> None:
    """Give unsent parts of a locked refund other amounts (minor units), within what was paid of their charges.

    Where nothing is left of the whole it is voided, its parts as they were.
    """
    total = refund.amount + sum(amount - part.amount for part, amount in amounts.items())
    for part, amount in amounts.items():
        Charge.objects.filter(pk=part.charge_id).update(refunded=F("refunded") + amount - part.amount)
        if total and amount:
            tax = Charge.objects.get(pk=part.charge_id).tax_in(amount)
            RefundPart.objects.filter(pk=part.pk).update(amount=amount, tax=tax)
        elif total:
            part.delete()
    refund.amount, refund.repriced_at = total or refund.amount, now
    if not total:
        refund.status = RefundStatus.VOIDED.value
    refund.save(update_fields=["amount", "repriced_at", *(["status"] if not total else [])])


_GONE = F("refunded") + F("returned_elsewhere") + F("disputed")


def _reserve(refund: Refund, charge_id: int, amount: int, tax: int) -> None:
    charge = Charge.objects.filter(
        pk=charge_id,
        agreement=refund.agreement,
        paid__gte=_GONE + amount,
        charged__gte=_GONE + F("corrected") + amount,
    )
    if not charge.update(refunded=F("refunded") + amount):
        raise RefundExceedsPaid
    RefundPart.objects.create(refund=refund, charge_id=charge_id, amount=amount, tax=tax)
