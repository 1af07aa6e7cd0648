"""What an import did, for a person to check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from billing.models import RefundStatus
from billing.money import Money
from billing.refunds.repricing import Repricing
from subscriptions.directory.tables import RowProblem


@dataclass(slots=True)
class MoneyCount:
    """Charges of one currency, with their sums in minor units."""

    charges: int = 0
    charged: int = 0
    paid: int = 0
    left_out: int = 0
    charged_left_out: int = 0


@dataclass(slots=True)
class ImportReport:
    """Counts, notes, and the rows that were left out."""

    holders: dict[str, int] = field(default_factory=dict)
    soft_deleted: int = 0
    unlicensed: int = 0
    merged: int = 0
    users_created: int = 0
    users_changed: int = 0
    licenses_assigned: int = 0
    licenses_removed: int = 0
    kept_removed: int = 0
    not_in_file: int = 0
    charges_recorded: int = 0
    provider_ids: int = 0
    money: dict[str, MoneyCount] = field(default_factory=lambda: defaultdict(MoneyCount))
    notes: list[str] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Whether anything is different from before."""
        return any(
            (
                self.users_created,
                self.users_changed,
                self.licenses_assigned,
                self.licenses_removed,
                self.charges_recorded,
                self.provider_ids,
            )
        )

    def count_charge(self, currency: str, charged: int, paid: int, *, came_in: bool) -> None:
        """Sum up what the charges file brought, in minor units."""
        money = self.money[currency]
        if came_in:
            money.charges, money.charged, money.paid = money.charges + 1, money.charged + charged, money.paid + paid
        else:
            money.left_out, money.charged_left_out = money.left_out + 1, money.charged_left_out + charged

    def note(self, text: str) -> None:
        """Say something once."""
        if text not in self.notes:
            self.notes.append(text)


def note_repricing(report: ImportReport, repricing: Repricing, new: Collection[int]) -> None:
    """What facts that came after the decision change of the money. ``new``: charges that were not known before."""
    for refund, before in repricing.changed:
        now = "nothing" if refund.status == RefundStatus.VOIDED else refund.money
        report.note(
            f"refund {refund.pk}: {Money(before, refund.currency)} was to go back, by these charges it is {now}"
        )
    if repricing.added:
        for part in repricing.added.parts.select_related("charge"):
            back, by = Money(part.promised, repricing.added.currency), repricing.added.due_by
            if part.charge_id in new:
                report.note(f"{part.charge} came after its subscription was canceled: {back} of it goes back by {by}")
            else:
                report.note(f"{part.charge}: by these charges, {back} more of it goes back by {by}")
    for part in repricing.overdrawn:
        sent, due = part.charge.money(part.amount), part.charge.money(part.amount_by_rule or 0)
        report.note(f"refund {part.refund_id}: {sent} goes back, by these charges {due} is due; staff are told")
