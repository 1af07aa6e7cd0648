"""Record what was billed and what was paid."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from billing.errors import ChargeInvalid
from billing.models import Agreement, Charge, Correction
from billing.periods import Period


@dataclass(frozen=True, slots=True)
class ChargeInput:
    """A charge as it came from outside; amounts in minor units, ``charged`` and ``settled`` with tax."""

    external_id: str
    description: str
    seats: int
    period: Period
    charged_at: datetime
    currency: str
    charged: int
    tax: int
    settled: int
    in_flight: int = 0

    def check(self) -> None:
        """Raise ChargeInvalid, with the reason as its text, for amounts or dates that contradict themselves."""
        if self.period.start >= self.period.end:
            raise ChargeInvalid("the period ends before it starts")
        if min(self.charged - self.tax, self.tax, self.settled, self.in_flight) < 0:
            raise ChargeInvalid("an amount is negative")
        if self.settled + self.in_flight > self.charged:
            raise ChargeInvalid("more was paid than charged")


def record_charge(*, agreement: Agreement, charge: ChargeInput) -> bool:
    """Add a charge, or move the payment of a known one forward; True when something changed.

    A charge that is already on record keeps its amounts and period; only what was settled may grow.
    Raises ChargeInvalid when the two contradict each other, or for another currency than the agreement's.
    """
    charge.check()
    if charge.currency != agreement.currency:
        raise ChargeInvalid(f"the currency is {charge.currency}, all other charges are in {agreement.currency}")
    known = Charge.objects.filter(agreement=agreement, external_id=charge.external_id).first()
    if known is None:
        Charge.objects.create(
            agreement=agreement,
            external_id=charge.external_id,
            description=charge.description,
            seats=charge.seats,
            period_start=charge.period.start,
            period_end=charge.period.end,
            charged_at=charge.charged_at,
            charged=charge.charged,
            tax=charge.tax,
            settled=charge.settled,
            in_flight=charge.in_flight,
        )
        return True
    same = (known.charged, known.tax, known.period_start, known.period_end)
    if same != (charge.charged, charge.tax, charge.period.start, charge.period.end):
        raise ChargeInvalid("it is already on record with other amounts or another period")
    moved = Charge.objects.filter(pk=known.pk, settled__lt=charge.settled)
    return bool(moved.update(settled=charge.settled, in_flight=charge.in_flight))


@transaction.atomic
def record_correction(*, charge: Charge, external_id: str, amount: int, tax: int, corrected_at: datetime) -> bool:
    """Reduce ``charge`` by ``amount`` minor units (``tax`` of them tax); False when it was recorded before.

    Raises ChargeInvalid when the corrections would exceed the charge.
    """
    if Correction.objects.filter(charge=charge, external_id=external_id).exists():
        return False
    within = Charge.objects.filter(
        pk=charge.pk, charged__gte=F("corrected") + amount, tax__gte=F("corrected_tax") + tax
    )
    if amount <= 0 or not within.update(corrected=F("corrected") + amount, corrected_tax=F("corrected_tax") + tax):
        raise ChargeInvalid("a correction cannot exceed the charge it names")
    Correction.objects.create(charge=charge, external_id=external_id, amount=amount, tax=tax, corrected_at=corrected_at)
    return True


def payment_settled(*, external_id: str, settled: int) -> bool:
    """A payment that was in flight has arrived: ``settled`` minor units in all. False when nothing is new.

    What was settled never shrinks; more than was charged is not believed.
    """
    known = Charge.objects.filter(external_id=external_id, settled__lt=settled, charged__gte=settled)
    return bool(known.update(in_flight=Greatest(F("in_flight") + F("settled") - settled, 0), settled=settled))
