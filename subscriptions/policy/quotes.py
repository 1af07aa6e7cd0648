"""What canceling gives back, to the cent and the second.

Preview and execution both make their quote here, from the same snapshot at the same instant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import reduce
from operator import add
from typing import TypedDict

from billing.credit_form import CreditForm
from billing.money import Money, largest_remainder
from billing.periods import Period, refund_due_by
from billing.proration import (
    ChargeFacts,
    Convention,
    Line,
    NoRefundReason,
    RefundTerms,
    overall_reason,
    promised_currency,
    prorate,
)
from subscriptions.policy.facts import Channel, Mode, Snapshot
from subscriptions.policy.status import DISABLED_FOR, EXPIRED_FOR, current_period, is_trial

QUOTE_LIFETIME = timedelta(minutes=30)
UNDO_WINDOW = timedelta(hours=72)
ERASED_AFTER = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Quote:
    """What canceling in one mode would do, to the cent and the second. Equal quotes are the same promise.

    Money is priced at ``priced_at``: when the quote was made, or from when a call that we owed lets credit count.
    ``agreed``: a supervisor settled on another amount than ``by_rule``, what the rules give.
    """

    mode: Mode
    made_at: datetime
    priced_at: datetime
    effective_at: datetime
    lines: tuple[Line, ...]
    refund: Money | None
    no_refund_reason: NoRefundReason | None
    convention: Convention
    refund_due_by: date | None
    pending_charges: tuple[Money, ...]
    affected_users: int
    users_still_covered: int
    access_ends_at: datetime
    data_available_until: datetime
    data_erased_by: datetime
    undo_until: datetime
    policy_id: int
    policy_version: int
    credit_form: CreditForm
    agreed: bool = False
    by_rule: Money | None = None

    @property
    def expires_at(self) -> datetime:
        """Executable until then."""
        return self.made_at + QUOTE_LIFETIME


def make_quote(mode: Mode, snapshot: Snapshot, at: datetime, priced_at: datetime) -> Quote:
    """What canceling in ``mode`` at ``at`` gives back, money counted from ``priced_at``, which is not after ``at``."""
    period = current_period(snapshot, at)
    effective_at = at if mode is Mode.IMMEDIATE or period is None else period.end
    charges = _refundable(mode, snapshot, at, priced_at, effective_at)
    currency = _currency(charges, snapshot, at)
    lines = _lines(charges, snapshot, priced_at, currency)
    total = reduce(add, (line.refund for line in lines)) if lines else None
    refund = total if total and total.minor_units else None
    return Quote(
        mode=mode,
        made_at=at,
        priced_at=priced_at,
        lines=lines,
        refund=refund,
        no_refund_reason=None if refund else _why_nothing(mode, snapshot, at, effective_at, lines),
        convention=snapshot.policy.convention,
        refund_due_by=_due_by(snapshot, lines, at) if refund else None,
        pending_charges=tuple(
            Money(charge.in_flight, charge.currency).into(currency) for charge in charges if charge.in_flight
        ),
        affected_users=snapshot.assigned,
        users_still_covered=snapshot.for_quotes.still_covered,
        policy_id=snapshot.policy.id,
        policy_version=snapshot.policy.version,
        credit_form=snapshot.for_quotes.credit_form,
        **_dates(mode, effective_at, period),
    )


def effective(quote: Quote, executed_at: datetime, period: Period | None) -> Quote:
    """The quote as executed: an immediate cancellation takes effect when it was executed, its dates with it.

    Never before what was promised: who executes it may have a clock that is behind.
    """
    if quote.mode is Mode.AT_PERIOD_END:
        return quote
    return replace(quote, **_dates(Mode.IMMEDIATE, max(executed_at, quote.effective_at), period))


def prorates(quote: Quote, snapshot: Snapshot) -> bool:
    """Whether time that is paid and not used comes back, also of charges that are not known yet.

    Otherwise only what begins after the end does: a trial and a product key return nothing of their own time.
    """
    is_paid_for = snapshot.channel is not Channel.PREPAID and not is_trial(snapshot, quote.made_at)
    return quote.mode is Mode.IMMEDIATE and is_paid_for


def refundable(quote: Quote, snapshot: Snapshot) -> int:
    """The most that the charges of a quote can return, in minor units: what was paid and not returned before."""
    return sum(_refundable_of(line, snapshot).minor_units for line in quote.lines)


def agreed(quote: Quote, amount: int, snapshot: Snapshot) -> Quote:
    """The quote with ``amount`` (minor units, 0 to ``refundable``) spread over its charges by what each can return."""
    shares = (
        largest_remainder(amount, [_refundable_of(line, snapshot).minor_units for line in quote.lines])
        if quote.lines
        else []
    )
    lines = tuple(_returning(line, share, snapshot) for line, share in zip(quote.lines, shares, strict=True))
    refund = Money(amount, lines[0].refund.currency) if amount else None
    due_by = quote.refund_due_by or _due_by(snapshot, quote.lines, quote.made_at)
    return replace(
        quote,
        lines=lines,
        refund=refund,
        no_refund_reason=None if refund else NoRefundReason.AGREED,
        refund_due_by=due_by if refund else None,
        # The amount is the whole word: a payment that arrives later returns nothing more.
        pending_charges=(),
        agreed=True,
        by_rule=quote.refund,
    )


def boundary_between(snapshot: Snapshot, one: datetime, other: datetime) -> bool:
    """Whether a period of the subscription or of a charge began or ended between two instants, whichever is first.

    ``snapshot`` is of the earlier one, with the charges that were not over then; what fell on it was seen.
    """
    earlier, later = sorted((one, other))
    periods = [charge.period for charge in snapshot.for_quotes.charges]
    if period := current_period(snapshot, earlier):
        periods.append(period)
    return any(earlier < edge <= later for period in periods for edge in (period.start, period.end))


def _charge(line: Line, snapshot: Snapshot) -> ChargeFacts:
    return next(charge for charge in snapshot.for_quotes.charges if charge.id == line.charge_id)


def _refundable_of(line: Line, snapshot: Snapshot) -> Money:
    """The most that a line can return, in what the quote is in."""
    charge = _charge(line, snapshot)
    return Money(charge.refundable, charge.currency).into(line.refund.currency)


def _returning(line: Line, share: int, snapshot: Snapshot) -> Line:
    charge = _charge(line, snapshot)
    own = min(Money(share, line.refund.currency).back_into(charge.currency).minor_units, charge.refundable)
    given = replace(
        line.own,
        refund=Money(own, charge.currency),
        refund_tax=Money(charge.tax_in(own), charge.currency),
        reason=None if share else NoRefundReason.AGREED,
        line_reason=None,
    )
    return given.into(line.refund.currency)


class _Dates(TypedDict):
    effective_at: datetime
    access_ends_at: datetime
    data_available_until: datetime
    data_erased_by: datetime
    undo_until: datetime


def _dates(mode: Mode, effective_at: datetime, period: Period | None) -> _Dates:
    expired_for = EXPIRED_FOR if mode is Mode.AT_PERIOD_END else timedelta(0)
    undo_until = effective_at
    if mode is Mode.IMMEDIATE:
        undo_until = min([effective_at + UNDO_WINDOW, *([period.end] if period else [])])
    return {
        "effective_at": effective_at,
        "access_ends_at": effective_at,
        "data_available_until": effective_at + expired_for + DISABLED_FOR,
        "data_erased_by": effective_at + ERASED_AFTER,
        "undo_until": undo_until,
    }


def _currency(charges: Sequence[ChargeFacts], snapshot: Snapshot, at: datetime) -> str:
    """The one that all of a quote is in; of no charges, none."""
    day = at.astimezone(snapshot.zone).date()
    return promised_currency((charge.currency for charge in charges), day) if charges else ""


def _lines(charges: Sequence[ChargeFacts], snapshot: Snapshot, priced_at: datetime, currency: str) -> tuple[Line, ...]:
    policy = snapshot.policy
    terms = RefundTerms(policy.convention, snapshot.zone, policy.full_refund_hours, policy.prorated_refund_hours)
    return tuple(prorate(charge, priced_at, terms).into(currency) for charge in charges)


def _due_by(snapshot: Snapshot, lines: Sequence[Line], at: datetime) -> date | None:
    period = current_period(snapshot, at)
    anchor = snapshot.anchored_at or (period.start if period else lines[0].period.start if lines else None)
    return refund_due_by(anchor, at, snapshot.zone) if anchor else None


def _refundable(
    mode: Mode, snapshot: Snapshot, at: datetime, priced_at: datetime, effective_at: datetime
) -> list[ChargeFacts]:
    """The charges a quote has a line for. Of a trial, a product key and a period that runs out: what begins later."""
    charges = snapshot.for_quotes.charges
    if mode is Mode.AT_PERIOD_END or snapshot.channel is Channel.PREPAID or is_trial(snapshot, at):
        return [charge for charge in charges if charge.period.begins_after(effective_at)]
    return [charge for charge in charges if charge.period.end > priced_at]


def _why_nothing(
    mode: Mode, snapshot: Snapshot, at: datetime, effective_at: datetime, lines: Sequence[Line]
) -> NoRefundReason:
    facts = snapshot.for_quotes
    if snapshot.channel is Channel.PREPAID:
        return NoRefundReason.PREPAID
    if is_trial(snapshot, at):
        return NoRefundReason.TRIAL
    return why_nothing(mode, overall_reason(lines), facts.charges, facts.charged_before, at, effective_at)


def why_nothing(
    mode: Mode,
    of_lines: NoRefundReason,
    charges: Sequence[ChargeFacts],
    charged_before: bool,
    at: datetime,
    effective_at: datetime,
) -> NoRefundReason:
    """Why nothing comes back of what is neither a trial nor bought with a product key. ``of_lines``: what its lines say."""
    if mode is Mode.IMMEDIATE:
        was_charged = bool(charges or charged_before)
        no_lines = of_lines is NoRefundReason.NO_CHARGE_ON_RECORD
        return NoRefundReason.FULLY_USED if was_charged and no_lines else of_lines
    if of_lines in _TAKEN:
        return of_lines
    unpaid = _is_unpaid(charges, charged_before, at, effective_at)
    return NoRefundReason.NOTHING_SETTLED if unpaid else NoRefundReason.PERIOD_END


_TAKEN = (NoRefundReason.DISPUTED, NoRefundReason.ALREADY_REFUNDED)


def _is_unpaid(charges: Sequence[ChargeFacts], charged_before: bool, at: datetime, until: datetime) -> bool:
    """Whether something is owed for the time until then, or is to be, and nothing of it has arrived.

    Where nothing was ever charged nobody knows.
    """
    running = [c for c in charges if c.period.end > at and not c.period.begins_after(until)]
    if not running:
        return charged_before
    return any(charge.charged for charge in running) and not any(charge.paid for charge in running)
