"""Record what files say was billed, paid and corrected."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.currencies import ENDED, succeeds
from billing.errors import (
    ChargeCurrencyDiffers,
    ChargeCurrencyEnded,
    ChargeNegative,
    ChargeOnRecord,
    ChargePaidTooMuch,
    ChargePeriodBackwards,
    ChargePeriodTooFar,
    ChargePeriodTooLong,
    ChargeReturnedTooMuch,
    ChargeTooLarge,
    CorrectionCurrencyDiffers,
    CorrectionLeavesTax,
    CorrectionNotLess,
    CorrectionOnRecord,
    CorrectionTooLarge,
)
from billing.models import IMPORTED, Agreement, Charge, Correction
from billing.money import MAX_MINOR_UNITS, Money
from billing.periods import EARLIEST, LATEST, MAX_PERIOD, Period
from billing.return_kinds import ReturnKind, ReturnStatus
from billing.returns import write_net, write_return
from billing.selectors import lock_agreement
from billing.writing import ChargeChange, add_charge, change_charge
from tenants.actions import Action


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What left of a charge without us, in all, in minor units; None where nobody says."""

    refunded: int | None = None
    disputed: int | None = None


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
    elsewhere: Elsewhere = Elsewhere()

    def check(self, zone: ZoneInfo) -> None:
        """Raise ChargeInvalid for amounts or dates that contradict themselves.

        ``zone`` tells on which day a currency was charged. A charge that passes can be the first of its agreement.
        """
        if self.period.start >= self.period.end:
            raise ChargePeriodBackwards
        if min(self.charged - self.tax, self.tax, self.paid, self.in_flight) < 0:
            raise ChargeNegative
        if min(self.elsewhere.refunded or 0, self.elsewhere.disputed or 0) < 0:
            raise ChargeNegative
        if max(self.elsewhere.refunded or 0, self.elsewhere.disputed or 0) > self.charged:
            raise ChargeReturnedTooMuch
        if self.paid + self.in_flight > self.charged:
            raise ChargePaidTooMuch
        if self.charged > MAX_MINOR_UNITS:
            raise ChargeTooLarge
        if not EARLIEST <= self.period.start < self.period.end <= LATEST:
            raise ChargePeriodTooFar(least=EARLIEST.year, limit=LATEST.year)
        if self.period.end - self.period.start > MAX_PERIOD:
            raise ChargePeriodTooLong
        if ended := ENDED.get(self.currency):
            on = self.charged_at.astimezone(zone).date()
            if on > ended.last_day:
                raise ChargeCurrencyEnded(
                    currency=self.currency, successor=ended.successor, date=str(on), last_date=str(ended.last_day)
                )


@dataclass(slots=True)
class Recorded:
    """What became of a charge from a file: its changes, for audit_charges.

    ``gone``: less was said to be paid than before, and is taken as returned elsewhere; ``contradicts``: whose word is
    kept against the file's. Both in minor units, or empty.
    """

    changes: list[ChargeChange] = field(default_factory=list)
    gone: int = 0
    contradicts: str = ""

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.changes)

    def add(self, change: ChargeChange | None) -> None:
        if change:
            self.changes.append(change)


def record_charge(
    *, agreement: Agreement, charge: ChargeInput, now: datetime, known_at: datetime | None = None
) -> Recorded:
    """Add a charge, or write what has become of the payment of a known one, as it was at ``known_at`` (now).

    Within a transaction that has locked the agreement before it read it; hand the changes to audit_charges when nothing
    else will be locked. A charge that is already on record keeps its amounts and period. What was paid only grows; a
    file that says less than files said before says that the rest went back elsewhere, and where a provider said more,
    the provider's word is kept. Raises ChargeInvalid when the two contradict each other, or for another currency than
    the agreement's.
    """
    charge.check(agreement.account.tenant.zone)
    known_at = known_at or now
    if agreement.currency != charge.currency and not _spans(agreement, charge):
        raise ChargeCurrencyDiffers(currency=charge.currency, other=agreement.currency)
    known = Charge.objects.filter(agreement=agreement, external_id=charge.external_id).first()
    if known is None:
        _follow_currency(agreement, charge)
        added = _add(agreement, charge, now, known_at)
        return Recorded([added, *_take_elsewhere(agreement, added.charge, charge.elsewhere, known_at, now)])
    same = (known.currency, known.charged, known.tax, known.period_start, known.period_end)
    if same != (charge.currency, charge.charged, charge.tax, charge.period.start, charge.period.end):
        raise ChargeOnRecord
    known.agreement = agreement
    recorded = _move_payment(agreement, known, charge, now, known_at)
    recorded.changes += _take_elsewhere(agreement, known, charge.elsewhere, known_at, now)
    return recorded


def _take_elsewhere(
    agreement: Agreement, known: Charge, said: Elsewhere, known_at: datetime, now: datetime
) -> list[ChargeChange]:
    """Totals of what left without us, by whoever sends charges: a refund elsewhere is gone, a dispute holds."""
    totals = (
        (ReturnKind.REFUND, ReturnStatus.GONE, said.refunded),
        (ReturnKind.DISPUTE, ReturnStatus.OPEN, said.disputed),
    )
    changes = (
        write_return(
            agreement, known, source=IMPORTED, kind=kind, external_id="", amount=amount, status=status,
            known_at=known_at, now=now,
        )
        for kind, status, amount in totals
        if amount is not None
    )  # fmt: skip
    return [change for change in changes if change]


def _spans(agreement: Agreement, charge: ChargeInput) -> bool:
    """Whether one of their currencies ended and became the other."""
    return succeeds(charge.currency, agreement.currency) or succeeds(agreement.currency, charge.currency)


def _follow_currency(agreement: Agreement, charge: ChargeInput) -> None:
    """An agreement goes on in the successor of a currency that ended with its first charge in it."""
    if succeeds(charge.currency, agreement.currency):
        agreement.currency = charge.currency
        agreement.save(update_fields=["currency"])


def _add(agreement: Agreement, charge: ChargeInput, now: datetime, known_at: datetime) -> ChargeChange:
    return add_charge(
        agreement,
        source=IMPORTED,
        now=now,
        external_id=charge.external_id,
        currency=charge.currency,
        description=charge.description,
        seats=charge.seats,
        period_start=charge.period.start,
        period_end=charge.period.end,
        charged_at=charge.charged_at,
        charged=charge.charged,
        tax=charge.tax,
        paid=charge.paid,
        in_flight=charge.in_flight,
        known_at=known_at,
    )


def _move_payment(
    agreement: Agreement, known: Charge, charge: ChargeInput, now: datetime, known_at: datetime
) -> Recorded:
    """What a file says of the payment of a charge on record. One that is older than what is known only adds."""
    recorded, paid = Recorded(), max(known.paid, charge.paid)
    is_older = known.known_at is not None and known_at < known.known_at
    gone = known.paid - charge.paid
    in_flight = charge.in_flight
    if is_older:
        in_flight = max(0, known.in_flight - (paid - known.paid))
    elif known.paid_by != IMPORTED and gone > 0:
        recorded.contradicts, in_flight = known.paid_by, known.in_flight
    action = Action.CHARGE_PAID if paid > known.paid else Action.CHARGE_PAYMENT_CHANGED
    is_believed = not is_older and not recorded.contradicts
    known.paid_by = IMPORTED if paid > known.paid else known.paid_by
    known.known_at = known_at if is_believed else known.known_at
    known.save(update_fields=["paid_by", "known_at"])
    recorded.add(change_charge(agreement, known, action, source=IMPORTED, now=now, paid=paid, in_flight=in_flight))
    if is_believed:
        returned = known.returned_elsewhere
        if gone > 0 or returned:
            recorded.add(write_net(agreement, known, source=IMPORTED, gone=max(0, gone), known_at=known_at, now=now))
        recorded.gone = max(0, known.returned_elsewhere - returned)
    return recorded


def record_correction(
    *, charge: Charge, external_id: str, amount: Money, tax: int, corrected_at: datetime, now: datetime
) -> ChargeChange | None:
    """Reduce ``charge`` by ``amount`` (``tax`` minor units of it tax); None when it was recorded before.

    Where its agreement ends, what that gives back is priced again. Hand the change to audit_charges when nothing else
    will be locked. Raises ChargeInvalid when the corrections would exceed the charge, leave more tax than amount, are in
    another currency, or contradict what is on record.
    """
    if amount.currency != charge.currency:
        raise CorrectionCurrencyDiffers(currency=amount.currency, other=charge.currency)
    less = amount.minor_units
    if less <= 0 or not 0 <= tax <= less:
        raise CorrectionNotLess
    with transaction.atomic():
        agreement = lock_agreement(charge.agreement_id)
        known = Correction.objects.filter(charge=charge, external_id=external_id).first()
        if known is not None:
            if (known.amount, known.tax) != (less, tax):
                raise CorrectionOnRecord
            return None
        fresh = Charge.objects.get(pk=charge.pk)
        fresh.agreement = agreement
        corrected, corrected_tax = fresh.corrected + less, fresh.corrected_tax + tax
        if corrected > fresh.charged or corrected_tax > fresh.tax:
            raise CorrectionTooLarge
        if fresh.tax - corrected_tax > fresh.charged - corrected:
            raise CorrectionLeavesTax
        Correction.objects.create(
            charge=charge, external_id=external_id, amount=less, tax=tax, corrected_at=corrected_at
        )
        return change_charge(
            agreement, fresh, Action.CHARGE_CORRECTED, source=IMPORTED, now=now,
            corrected=corrected, corrected_tax=corrected_tax,
        )  # fmt: skip
