"""Promise money back, by rule or by hand, and take a promise back or change it before it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import date, datetime

from django.db import transaction
from django.db.models import F

from billing.credit_form import CreditForm
from billing.currencies import currency_on
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
from billing.money import Money
from billing.proration import Line
from billing.providers import credit_form
from billing.refunds.moves import audit_refund, lock, move
from billing.refunds.sending import ask_to_send, say_owed
from billing.renewal_stop import UNDO_GRACE
from billing.selectors import day_of, lock_agreement, provider_of
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

    HELD until ``held_until`` and UNDO_GRACE are over, else PENDING; sent from then on. Reserves the amount on each
    charge, so that all refunds of a charge together never exceed what was paid: raises RefundExceedsPaid, and the
    database agrees.
    """
    sent_from = held_until + UNDO_GRACE
    returning = [line for line in lines if line.refund.minor_units]
    refund = Refund.objects.create(
        agreement=agreement,
        amount=sum(line.refund.minor_units for line in returning),
        currency=returning[0].refund.currency,
        status=RefundStatus.HELD if sent_from > requested_at else RefundStatus.PENDING,
        priced_at=priced_at,
        requested_at=requested_at,
        held_until=held_until,
        due_by=due_by,
        provider=provider_of(agreement),
        changed_at=requested_at,
    )
    for line in returning:
        own = line.own
        _reserve(refund, line.charge_id, own.refund.minor_units, own.refund_tax.minor_units, line.refund.minor_units)
    ask_to_send(refund, max(sent_from, requested_at), requested_at)
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

    What was still held cannot be undone from then on. Raises RefundNotPossible without a reason, and while a provider may
    still be paying it: what is owed nobody pays but us.
    """
    if not reason.strip():
        raise RefundReasonMissing
    with transaction.atomic(durable=True):
        lock(refund)
        is_owed = credit_form(refund.provider) is CreditForm.OWED
        if not is_owed and refund.parts.filter(status=PartStatus.SENT).exists():
            raise RefundMayBePaid
        why = reason.strip()
        values = {"returned_at": now, "reason": why[:300]}
        if refund.status == RefundStatus.HELD:
            # Before the trail, whose head everybody locks last.
            refund_left_early.send(sender=Refund, refund=refund, now=now)
        return move(refund, UNSETTLED_REFUND_STATUSES, RefundStatus.SETTLED_MANUALLY, caller, now, values, reason=why)


def refund_by_hand(*, charge: Charge, amount: int, reason: str, due_by: date, caller: Caller, now: datetime) -> Refund:
    """Give back ``amount`` minor units of one charge, its tax in proportion, besides what rules say, for a reason.

    ``charge`` is as whoever decides has seen it. Raises RefundNotPossible without a reason or amount, and where a part
    of it was promised since (pressed twice, or by somebody else); RefundExceedsPaid above what is left of it.
    """
    if not reason.strip() or amount <= 0:
        raise RefundReasonMissing if amount > 0 else RefundAmountMissing
    with transaction.atomic(durable=True):
        lock_agreement(charge.agreement_id)
        if not Charge.objects.filter(pk=charge.pk, refunded=charge.refunded).exists():
            raise RefundOvertaken
        promised = promised_on(charge, amount, now)
        if not promised.minor_units:
            raise RefundAmountMissing
        refund = Refund.objects.create(
            agreement=charge.agreement,
            amount=promised.minor_units,
            currency=promised.currency,
            status=RefundStatus.PENDING,
            priced_at=now,
            requested_at=now,
            held_until=now,
            due_by=due_by,
            provider=provider_of(charge.agreement),
            by_hand=True,
            reason=reason.strip()[:300],
            changed_at=now,
        )
        _reserve(refund, charge.pk, amount, charge.tax_in(amount), promised.minor_units)
        ask_to_send(refund, now, now)
        audit_refund(refund, Action.REFUND_BY_HAND, caller, now, reason=reason.strip())
        return refund


def resize_refund(*, refund: Refund, amounts: Mapping[RefundPart, int], now: datetime) -> None:
    """Give unsent parts of a locked refund other amounts (minor units), within what was paid of their charges.

    Where nothing is left of the whole it is voided, its parts as they were. A part of which nothing is left is set aside
    where a provider was asked for it once, and may know its key; else it goes.
    """
    charges = Charge.objects.in_bulk([part.charge_id for part in amounts])
    promised = {
        part: charges[part.charge_id].money(amount).into(refund.currency).minor_units
        for part, amount in amounts.items()
    }
    total = refund.amount + sum(promised[part] - part.promised for part in amounts)
    for part, amount in amounts.items():
        Charge.objects.filter(pk=part.charge_id).update(refunded=F("refunded") + amount - part.amount)
        if total and amount:
            tax = charges[part.charge_id].tax_in(amount)
            # What was asked for under one key is not asked for otherwise under the same: what failed gets another.
            again = {"retries": F("retries") + 1} if part.status == PartStatus.FAILED else {}
            RefundPart.objects.filter(pk=part.pk).update(amount=amount, promised=promised[part], tax=tax, **again)
        elif total and part.sent_at:
            _set_aside(part, refund, now)
        elif total:
            part.delete()
    refund.amount, refund.repriced_at, refund.changed_at = total or refund.amount, now, now
    if not total:
        refund.status = RefundStatus.VOIDED.value
    refund.save(update_fields=["amount", "repriced_at", "changed_at", *(["status"] if not total else [])])
    if total:
        say_owed(refund, now)


def _set_aside(part: RefundPart, refund: Refund, now: datetime) -> None:
    voided = copy(refund)
    voided.pk, voided.amount, voided.status = None, part.promised, RefundStatus.VOIDED.value
    voided.repriced_at = voided.changed_at = now
    voided.save(force_insert=True)
    RefundPart.objects.filter(pk=part.pk).update(refund=voided)


_GONE = F("refunded") + F("returned_elsewhere") + F("disputed")


def promised_on(charge: Charge, amount: int, now: datetime) -> Money:
    """Minor units of a charge in what they are promised in today. Reads the agreement, its account and tenant."""
    return charge.money(amount).into(currency_on(charge.currency, day_of(charge.agreement, now)))


def _reserve(refund: Refund, charge_id: int, amount: int, tax: int, promised: int) -> None:
    charge = Charge.objects.filter(
        pk=charge_id,
        agreement=refund.agreement,
        paid__gte=_GONE + amount,
        charged__gte=_GONE + F("corrected") + amount,
    )
    if not charge.update(refunded=F("refunded") + amount):
        raise RefundExceedsPaid
    RefundPart.objects.create(refund=refund, charge_id=charge_id, amount=amount, tax=tax, promised=promised)
