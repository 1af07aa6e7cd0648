"""Record what was billed and what was paid."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils.translation import gettext_lazy as _

from billing.errors import ChargeInvalid
from billing.models import Agreement, Charge, Correction, RefundPart, RefundStatus
from billing.money import MAX_MINOR_UNITS, Money
from billing.periods import EARLIEST, LATEST, MAX_PERIOD, Period
from billing.refunds.repricing import reprice_soon
from billing.renewal import confirm_stop_again
from billing.renewal_stop import RenewalStop
from billing.selectors import charges_at, late_charges
from outbox.mail import queue_staff_mail

logger = logging.getLogger("wayout.billing")


@dataclass(frozen=True, slots=True)
class ChargeInput:
    """A charge as it came from outside; amounts in minor units, ``charged`` and ``paid`` with tax."""

    external_id: str
    description: str
    seats: int
    period: Period
    charged_at: datetime
    currency: str
    charged: int
    tax: int
    paid: int
    in_flight: int = 0

    def check(self) -> None:
        """Raise ChargeInvalid, with the reason as its text, for amounts or dates that contradict themselves."""
        if self.period.start >= self.period.end:
            raise ChargeInvalid("the period ends before it starts")
        if min(self.charged - self.tax, self.tax, self.paid, self.in_flight) < 0:
            raise ChargeInvalid("an amount is negative")
        if self.paid + self.in_flight > self.charged:
            raise ChargeInvalid("more was paid than charged")
        if self.charged > MAX_MINOR_UNITS:
            raise ChargeInvalid("the amount is too large")
        if not EARLIEST <= self.period.start < self.period.end <= LATEST:
            raise ChargeInvalid(f"its period is not between {EARLIEST.year} and {LATEST.year}")
        if self.period.end - self.period.start > MAX_PERIOD:
            raise ChargeInvalid("its period is longer than 10 years")


def record_charge(*, agreement: Agreement, charge: ChargeInput, now: datetime) -> bool:
    """Add a charge, or move the payment of a known one forward; True when something changed.

    Within a transaction that has locked the agreement before it read it. A charge that is already on record keeps its
    amounts and period; only what was paid may grow. Where the agreement ends, what it gives back is priced again, and
    a provider that billed beyond the end is told once more. Raises ChargeInvalid when the two contradict each other, or
    for another currency than the agreement's.
    """
    charge.check()
    if charge.currency != agreement.currency:
        raise ChargeInvalid(f"the currency is {charge.currency}, all other charges are in {agreement.currency}")
    known = Charge.objects.filter(agreement=agreement, external_id=charge.external_id).first()
    if known is None:
        made = Charge.objects.create(
            agreement=agreement,
            external_id=charge.external_id,
            description=charge.description,
            seats=charge.seats,
            period_start=charge.period.start,
            period_end=charge.period.end,
            charged_at=charge.charged_at,
            recorded_at=now,
            charged=charge.charged,
            tax=charge.tax,
            paid=charge.paid,
            in_flight=charge.in_flight,
        )
        _has_changed(agreement, now)
        if agreement.renewal_stop != RenewalStop.NONE and late_charges().filter(pk=made.pk).exists():
            confirm_stop_again(agreement=agreement, now=now)
        return True
    same = (known.charged, known.tax, known.period_start, known.period_end)
    if same != (charge.charged, charge.tax, charge.period.start, charge.period.end):
        raise ChargeInvalid("it is already on record with other amounts or another period")
    moved = Charge.objects.filter(pk=known.pk, paid__lt=charge.paid)
    if not moved.update(paid=charge.paid, in_flight=charge.in_flight):
        return False
    _has_changed(agreement, now)
    return True


def record_correction(
    *, charge: Charge, external_id: str, amount: Money, tax: int, corrected_at: datetime, now: datetime
) -> bool:
    """Reduce ``charge`` by ``amount`` (``tax`` minor units of it tax); False when it was recorded before.

    Where its agreement ends, what that gives back is priced again. Raises ChargeInvalid when the corrections would
    exceed the charge, leave more tax than amount, are in another currency, or contradict what is on record.
    """
    if amount.currency != charge.agreement.currency:
        raise ChargeInvalid(f"it is in {amount.currency}, the charge it names in {charge.agreement.currency}")
    less = amount.minor_units
    if less <= 0 or not 0 <= tax <= less:
        raise ChargeInvalid("a correction takes something off, and its tax is a part of that")
    with transaction.atomic():
        agreement = Agreement.objects.select_for_update(no_key=True).get(pk=charge.agreement_id)
        known = Correction.objects.filter(charge=charge, external_id=external_id).first()
        if known is not None:
            if (known.amount, known.tax) != (less, tax):
                raise ChargeInvalid("it is already on record with another amount")
            return False
        within = Charge.objects.filter(
            pk=charge.pk, charged__gte=F("corrected") + less, tax__gte=F("corrected_tax") + tax
        )
        if not within.exists():
            raise ChargeInvalid("a correction cannot exceed the charge it names")
        with_tax = within.filter(charged__gte=F("corrected") + less + F("tax") - F("corrected_tax") - tax)
        if not with_tax.update(corrected=F("corrected") + less, corrected_tax=F("corrected_tax") + tax):
            raise ChargeInvalid("it leaves more tax than amount on the charge it names: say how much of it is tax")
        Correction.objects.create(
            charge=charge, external_id=external_id, amount=less, tax=tax, corrected_at=corrected_at
        )
        _has_changed(agreement, now)
        _mail_staff_of_too_much(charge, now)
        return True


def _mail_staff_of_too_much(charge: Charge, now: datetime) -> None:
    """Money that staff gave back by hand is priced by nobody: they hear when a correction makes it too much."""
    charge.refresh_from_db()
    left = charge.charged - charge.corrected
    by_hand = RefundPart.objects.filter(charge=charge, refund__by_hand=True).exclude(refund__status=RefundStatus.VOIDED)
    if charge.refunded > left and by_hand.exists():
        currency = charge.agreement.currency
        values = {"charge": charge, "back": Money(charge.refunded, currency), "left": Money(left, currency)}
        queue_staff_mail(key=f"charge:{charge.pk}:{charge.corrected}", sentence=_TOO_MUCH, values=values, now=now)


_TOO_MUCH = _("%(back)s of charge %(charge)s goes back, %(left)s is left of it after a correction. Look at it.")


def record_payment(*, provider: str, external_ids: Collection[str], paid: int, now: datetime) -> bool:
    """A payment at ``provider`` has arrived: ``paid`` minor units in all. False when nothing is new.

    ``external_ids``: all that the provider calls it; a charge goes by one of them.

    What was paid never shrinks; more than was charged is not believed. Ids are unique per agreement alone: where two
    charges of the provider go by this one, nothing is taken from the event (reconcile names them).
    """
    with transaction.atomic(durable=True):
        found = list(charges_at(provider).filter(external_id__in=external_ids)[:2])
        if len(found) > 1:
            logger.warning(
                "payment of %s at %s: two charges go by that id, none was changed", sorted(external_ids), provider
            )
        if len(found) != 1:
            return False
        [charge] = found
        agreement = Agreement.objects.select_for_update(no_key=True).get(pk=charge.agreement_id)
        known = Charge.objects.filter(pk=charge.pk, paid__lt=paid, charged__gte=paid)
        if not known.update(in_flight=Greatest(F("in_flight") + F("paid") - paid, 0), paid=paid):
            return False
        _has_changed(agreement, now)
        return True


def _has_changed(agreement: Agreement, now: datetime) -> None:
    if agreement.renewal_stop != RenewalStop.NONE:
        reprice_soon(agreement, now)
