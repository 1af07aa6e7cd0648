"""The embedded provider: credits are booked in our own ledger and stand on the tenant's statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from billing.models import Charge, LedgerEntry
from billing.money import Money
from billing.providers.base import (
    CreditForm,
    Declaration,
    ListedRefund,
    Provider,
    RefundOutcome,
    RefundPage,
    RefundRequest,
    RefundResult,
    Setting,
)

INVOICED_BY = "WAYOUT_LEDGER_INVOICED_BY"
_PAGE = 1_000


class Ledger(Provider):
    """Booking is settling: the entry is the credit, for another system to invoice from. Bills nothing itself."""

    declares = Declaration(
        name="ledger",
        credit=CreditForm.ACCOUNT_CREDIT,
        settings=(Setting(INVOICED_BY, "the system that takes credits from the statement onto its invoices, by name"),),
    )

    def refund(self, refund_request: RefundRequest) -> RefundResult:
        """Book the credit once per key."""
        charge = Charge.objects.get(pk=refund_request.charge)
        promised = refund_request.promised
        entry, _ = LedgerEntry.objects.get_or_create(
            key=refund_request.key,
            defaults={
                "agreement_id": charge.agreement_id,
                "charge": charge,
                "amount": promised.minor_units,
                "currency": promised.currency,
                "text": refund_request.text,
                "booked_at": refund_request.at,
            },
        )
        return _result(entry)

    def find(self, refund_request: RefundRequest) -> RefundResult | None:
        """The entry with that key."""
        entry = LedgerEntry.objects.filter(key=refund_request.key).first()
        return _result(entry) if entry else None

    def refunds_between(self, since: datetime, until: datetime) -> Iterator[RefundPage]:
        """Its entries, a thousand a query."""
        entries = LedgerEntry.objects.filter(booked_at__gte=since, booked_at__lt=until)
        older = entries
        while len(found := list(older.order_by("-booked_at", "-pk")[:_PAGE])) == _PAGE:
            last = found[-1]
            yield RefundPage([_listed(entry) for entry in found], last.booked_at + timedelta(microseconds=1))
            older = entries.filter(Q(booked_at__lt=last.booked_at) | Q(booked_at=last.booked_at, pk__lt=last.pk))
        yield RefundPage([_listed(entry) for entry in found], since)

    def problems(self) -> Sequence[str]:
        """A credit that nobody invoices from is a promise that nobody keeps."""
        if self.settings[INVOICED_BY]:
            return ()
        return [
            f"{INVOICED_BY} is not set: customers are told that money is credited to their account, and nobody is known to"
            " take it from there. Name who does, or choose WAYOUT_PROVIDER=owed and pay it."
        ]


def _listed(entry: LedgerEntry) -> ListedRefund:
    return ListedRefund(entry.key, _result(entry), entry.booked_at, Money(entry.amount, entry.currency))


def _result(entry: LedgerEntry) -> RefundResult:
    return RefundResult(RefundOutcome.SUCCEEDED, f"L-{entry.pk}")
