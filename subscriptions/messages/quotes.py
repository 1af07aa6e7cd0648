"""What a quote gives back, and how that was computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.messages import credit_promise
from billing.proration import Convention, NoRefundReason
from common.codes import N_
from common.formatting import format_date, format_datetime
from common.messages import say
from subscriptions.models import Cancellation
from subscriptions.policy.facts import Mode, Snapshot
from subscriptions.policy.quotes import Quote


def quote_explanation(quote: Quote, snapshot: Snapshot) -> str:
    """How the credit was computed, or why there is none: 26 of 28 days unused, whole 24-hour days."""
    if quote.no_refund_reason:
        closed = [line.period.start for line in quote.lines if line.reason is NoRefundReason.WINDOW_CLOSED]
        hours = snapshot.policy.prorated_refund_hours
        window = ClosedWindow(hours or 0, max(closed)) if closed else None
        return no_refund_sentence(quote.no_refund_reason, quote.mode, quote.effective_at, snapshot.zone, window)
    if quote.agreed:
        return agreed_sentence()
    lines = [line for line in quote.lines if line.refund.minor_units]
    return units_explanation(quote.convention, [(line.used_units, line.period_units) for line in lines])


def quote_in_words(quote: Quote, snapshot: Snapshot) -> dict[str, str]:
    """Everything a quote says, formatted for people: for the page and for the admin. Empty where there is nothing."""
    zone = snapshot.zone
    return {
        "mode": mode_name(quote.mode),
        "access_ends": format_datetime(quote.access_ends_at, zone),
        "credit": quote_promise(quote),
        "explanation": quote_explanation(quote, snapshot),
        "data_until": format_date(quote.data_available_until, zone),
        "erased_by": format_date(quote.data_erased_by, zone),
        "undo_until": format_datetime(quote.undo_until, zone),
    }


def quote_promise(quote: Quote) -> str:
    """What becomes of how much by when, as whoever pays declares. Empty where nothing comes back."""
    if quote.refund is None or quote.refund_due_by is None:
        return ""
    return credit_promise(quote.credit_form, quote.refund, quote.refund_due_by)


def agreed_sentence() -> str:
    """How a credit was computed that a supervisor settled on."""
    return _("The amount was agreed with support.")


def units_explanation(convention: Convention, lines: Iterable[tuple[int, int]]) -> str:
    """One sentence for every different pair of used units and units of the period."""
    sentences = [_CONVENTIONS[convention](units) % {"unused": units - used, "units": units} for used, units in lines]
    return " ".join(dict.fromkeys(sentences))


_CONVENTIONS: Mapping[Convention, Callable[[int], str]] = {
    Convention.ELAPSED_24H: lambda units: ngettext(
        "%(unused)d of %(units)d day unused, whole 24-hour days.",
        "%(unused)d of %(units)d days unused, whole 24-hour days.",
        units,
    ),
    Convention.CALENDAR_DAY: lambda units: ngettext(
        "%(unused)d of %(units)d day unused, calendar days without the day of canceling.",
        "%(unused)d of %(units)d days unused, calendar days without the day of canceling.",
        units,
    ),
    Convention.CALENDAR_DAY_INCLUSIVE: lambda units: ngettext(
        "%(unused)d of %(units)d day unused, calendar days with the day of canceling.",
        "%(unused)d of %(units)d days unused, calendar days with the day of canceling.",
        units,
    ),
    Convention.SECOND: lambda units: ngettext(
        "%(unused)d of %(units)d second unused.", "%(unused)d of %(units)d seconds unused.", units
    ),
}


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """So many hours since a charge began, in which something would have come back; of several the one that closed last."""

    hours: int
    opened_at: datetime

    @property
    def closed_at(self) -> datetime:
        return self.opened_at + timedelta(hours=self.hours)


def no_refund_sentence(
    reason: NoRefundReason, mode: Mode, effective_at: datetime, zone: ZoneInfo, window: ClosedWindow | None
) -> str:
    """Why no credit is due. Never "a refund of 0.00". ``window``: where it is that a window is closed."""
    values: dict[str, str | int] = {"date": format_date(effective_at, zone)}
    if window:
        values |= {"hours": window.hours, "closed": format_datetime(window.closed_at, zone)}
    sentence = reason.sentence
    if reason is NoRefundReason.NOTHING_SETTLED and mode is Mode.AT_PERIOD_END:
        sentence = _PERIOD_UNPAID
    elif reason is NoRefundReason.WINDOW_CLOSED and not window:
        sentence = _SOME_WINDOW_CLOSED
    return say(sentence, values)


# Of a charge that came after the decision, whose evidence has no line for it.
_SOME_WINDOW_CLOSED = N_("No credit is due because the time for it was over.")
_PERIOD_UNPAID = N_("No credit is due: the time until %(date)s is not paid, no payment has arrived for it yet.")


def kept_no_refund_sentence(cancellation: Cancellation, reason: NoRefundReason) -> str:
    """The same, by the evidence that was kept of what was decided."""
    zone, window = cancellation.tenant.zone, _kept_window(cancellation)
    return no_refund_sentence(reason, Mode(cancellation.mode), cancellation.effective_at, zone, window)


def _kept_window(cancellation: Cancellation) -> ClosedWindow | None:
    """The window that closed last. What was not paid when it was decided was priced by the same windows later."""
    lines = cancellation.quote["lines"]
    hours = cancellation.facts["policy"]["prorated_refund_hours"]
    closed = [line for line in lines if line["reason"] == NoRefundReason.WINDOW_CLOSED]
    opened = [datetime.fromisoformat(line["period"]["start"]) for line in closed or lines if hours is not None]
    windows = [window for start in opened if (window := ClosedWindow(hours, start)).closed_at <= cancellation.priced_at]
    return max(windows, key=lambda window: window.closed_at, default=None)


def mode_name(mode: Mode) -> str:
    """Now, or at the end of the period."""
    return {Mode.IMMEDIATE: _("immediately"), Mode.AT_PERIOD_END: _("at the end of the period")}[mode]
