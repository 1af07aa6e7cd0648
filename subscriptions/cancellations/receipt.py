"""The receipt of a cancellation: one content for the page, the text file and the mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.messages import refund_sentences
from billing.models import Refund, RefundStatus
from billing.proration import Convention, NoRefundReason
from common.formatting import format_date, format_datetime
from common.lines import one_line
from subscriptions.messages.quotes import agreed_sentence, kept_no_refund_sentence, mode_name, units_explanation
from subscriptions.models import Cancellation
from subscriptions.models.cancellations import CancellationStatus
from subscriptions.policy.facts import Mode
from subscriptions.selectors.cancellations import cancellation_status, requested_by


@dataclass(frozen=True, slots=True)
class Receipt:
    """A title in the past tense, and rows of a label and what it says."""

    title: str
    rows: Sequence[tuple[str, str]]

    @property
    def text(self) -> str:
        """Lines, of which no name makes another."""
        rows = [f"{label}: {one_line(value)}" for label, value in self.rows]
        return "\n".join([one_line(self.title), "", *rows]) + "\n"


def make_receipt(cancellation: Cancellation, refunds: Sequence[Refund], now: datetime) -> Receipt:
    """What was canceled, by whom, what ends when, and what comes back by when, in the active language.

    Dates are in the tenant's zone, which is named. Money is only said to be paid once it has left.
    """
    status = cancellation_status(cancellation, now)
    zone = cancellation.tenant.zone
    by = requested_by(cancellation)
    name = cancellation.subscription.plan.display_name
    rows = [
        (_("Reference"), cancellation.reference),
        (_("Subscription"), name),
        (_("Account"), f"{cancellation.tenant.name} ({cancellation.tenant.domain})"),
        (_("Canceled on"), format_datetime(cancellation.requested_at, zone)),
        (_("Canceled by"), _("support, for you: %(name)s") % {"name": by} if cancellation.by_staff else by),
        (_("Takes effect"), mode_name(Mode(cancellation.mode))),
    ]
    if status is CancellationStatus.UNDONE:
        assert cancellation.undone_at is not None
        rows.append((_("Undone on"), format_datetime(cancellation.undone_at, zone)))
        return Receipt(_("The cancellation of “%(name)s” was undone") % {"name": name}, rows)
    used = cancellation.facts["assigned_licenses"]
    rows += [
        (_("Access ends"), format_datetime(cancellation.access_ends_at, zone)),
        (_("For"), ngettext("%(count)d user", "%(count)d users", used) % {"count": used}),
        *_money_rows(cancellation, refunds),
        (_("Admins reach the data until"), format_date(cancellation.data_available_until, zone)),
        (_("Data is erased by"), format_date(cancellation.data_erased_by, zone)),
    ]
    if now < cancellation.undo_until:
        rows.append((_("Can be undone until"), format_datetime(cancellation.undo_until, zone)))
    return Receipt(_("“%(name)s” was canceled") % {"name": name}, rows)


def _money_rows(cancellation: Cancellation, refunds: Sequence[Refund]) -> list[tuple[str, str]]:
    refunds = [refund for refund in refunds if refund.status != RefundStatus.VOIDED]
    if not refunds:
        reason = NoRefundReason(cancellation.no_refund_reason or NoRefundReason.ALREADY_REFUNDED)
        return [(_("Credit"), kept_no_refund_sentence(cancellation, reason))]
    rows = [(_("Credit"), sentence) for refund in refunds for sentence in refund_sentences(refund)]
    if computed := _computed(cancellation):
        rows.append((_("How it was computed"), computed))
    return rows


def _computed(cancellation: Cancellation) -> str:
    if cancellation.quote.get("agreed"):
        return agreed_sentence()
    lines = [line for line in cancellation.quote["lines"] if line["refund"]["minor_units"]]
    units = [(line["used_units"], line["period_units"]) for line in lines]
    return units_explanation(Convention(cancellation.quote["convention"]), units)
