"""The embedded provider: credits are booked in our own ledger and stand on the tenant's statement."""

from __future__ import annotations

from billing.models import Charge, LedgerEntry
from billing.providers.base import Ending, Order, Outcome, Result


class Ledger:
    """Booking is settling: the entry is the credit. Bills nothing, so there is nothing to stop."""

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

    def go_on(self, external_id: str) -> None:
        """Nothing was stopped."""

    def stop_at_period_end(self, external_id: str) -> None:
        """The charges come from elsewhere; there is nothing to stop here."""

    def stop_now(self, external_id: str) -> None:
        """The charges come from elsewhere; there is nothing to stop here."""

    def ending(self, external_id: str) -> Ending:
        """It bills nothing that could end."""
        return Ending.NONE


def _result(entry: LedgerEntry) -> Result:
    return Result(Outcome.SUCCEEDED, f"L-{entry.pk}")
