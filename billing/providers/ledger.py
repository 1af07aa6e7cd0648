"""The embedded provider: credits are booked in our own ledger and stand on the tenant's statement."""

from __future__ import annotations

from billing.models import Charge, LedgerEntry
from billing.providers.base import CreditForm, Declaration, Order, Provider, RefundOutcome, Result


class Ledger(Provider):
    """Booking is settling: the entry is the credit. Bills nothing, so there is nothing to stop."""

    declares = Declaration(name="ledger", credit=CreditForm.ON_ACCOUNT)

    def refund(self, order: Order) -> Result:
        """Book the credit once per key."""
        charge = Charge.objects.get(pk=order.charge)
        entry, _ = LedgerEntry.objects.get_or_create(
            key=order.key,
            defaults={
                "agreement_id": charge.agreement_id,
                "charge": charge,
                "amount": order.amount.minor_units,
                "text": order.text,
                "booked_at": order.at,
            },
        )
        return _result(entry)

    def find(self, order: Order) -> Result | None:
        """The entry with that key."""
        entry = LedgerEntry.objects.filter(key=order.key).first()
        return _result(entry) if entry else None


def _result(entry: LedgerEntry) -> Result:
    return Result(RefundOutcome.SUCCEEDED, f"L-{entry.pk}")
