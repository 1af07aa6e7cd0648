"""How much of a charge was used and how much of it comes back. Pure: exact fractions, one rounding.

Source: the help page ("any prorated credit will be returned to you") and, for the conventions, the published
rules of other billing systems; see docs/decisions/0004-proration.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.currencies import currency_on, succeeds
from billing.money import Money, largest_remainder, round_half_up
from billing.periods import Period
from common.codes import N_, CodeTable
from common.errors import Plural


class Convention(StrEnum):
    """What counts as a used unit. The policy chooses; every quote names it."""

    ELAPSED_24H = "ELAPSED_24H"
    CALENDAR_DAY = "CALENDAR_DAY"
    CALENDAR_DAY_INCLUSIVE = "CALENDAR_DAY_INCLUSIVE"
    SECOND = "SECOND"


class NoRefundReason(CodeTable):
    """Why nothing comes back. One of these is always said when there is no refund.

    ``label``: for staff. ``sentence``: to the customer (subscriptions/messages/quotes.py says it). ``weight``: where the charges of a quote disagree, the highest
    is said, which is the one that a person can do most with; 0 is never the reason of one charge.
    """

    label: str
    sentence: str | Plural
    weight: int

    PERIOD_END = (
        "PERIOD_END",
        N_("it ends with the paid period"),
        N_("No credit is due because you can use all that was paid, until %(date)s."),
        0,
    )
    TRIAL = "TRIAL", N_("a trial costs nothing"), N_("No credit is due because a trial costs nothing."), 0
    PREPAID = (
        "PREPAID",
        N_("paid with a product key"),
        N_("No credit is due because it was paid with a product key."),
        0,
    )
    WINDOW_CLOSED = (
        "WINDOW_CLOSED",
        N_("the refund window is closed"),
        Plural(
            "No credit is due because the time for it, %(hours)d hour, was over on %(closed)s.",
            "No credit is due because the time for it, %(hours)d hours, was over on %(closed)s.",
            by="hours",
        ),
        4,
    )
    FULLY_USED = (
        "FULLY_USED",
        N_("what was paid is used up"),
        N_("No credit is due because all that was paid is used up."),
        3,
    )
    ALREADY_REFUNDED = (
        "ALREADY_REFUNDED",
        N_("already refunded"),
        N_("No credit is due because it was already refunded."),
        5,
    )
    DISPUTED = (
        "DISPUTED",
        N_("disputed"),
        N_("No credit is due because the payment was disputed at the bank, which decides what becomes of it."),
        6,
    )
    NOTHING_SETTLED = (
        "NOTHING_SETTLED",
        N_("nothing was paid yet"),
        N_("No credit is due because no payment has arrived yet."),
        2,
    )
    NOTHING_CHARGED = (
        "NOTHING_CHARGED",
        N_("nothing was charged"),
        N_("No credit is due because nothing is charged for the time that is left."),
        1,
    )
    NO_CHARGE_ON_RECORD = (
        "NO_CHARGE_ON_RECORD",
        N_("no charge on record"),
        N_("No credit is due because no charge is on record."),
        0,
    )
    AGREED = "AGREED", N_("agreed with support"), N_("No credit is due, as agreed with support."), 0


class LineReason(StrEnum):
    """Why a line gives what it gives, where that is not plain proration: what comes back whole, or less than unused."""

    NOT_BEGUN = "NOT_BEGUN"
    WINDOW_CLOSED = "WINDOW_CLOSED"
    DISPUTED = "DISPUTED"
    ALREADY_REFUNDED = "ALREADY_REFUNDED"


@dataclass(frozen=True, slots=True)
class RefundTerms:
    """The part of the policy that prices a refund: the convention, the zone whose days count, and the windows.

    Windows are hours from the start of each charge's period: in full until ``full_hours``, prorated until
    ``prorated_hours``, nothing after. None: no such window.
    """

    convention: Convention
    zone: ZoneInfo
    full_hours: int | None = None
    prorated_hours: int | None = None


@dataclass(frozen=True, slots=True)
class ChargeFacts:
    """What was billed for one period of some seats, in minor units of one currency, corrections applied.

    ``charged`` and ``paid`` include ``tax``; ``refunded`` is all that is returned or on its way; ``disputed`` what a
    dispute holds or took; ``in_flight`` is a payment that was started and has not arrived.
    """

    id: int
    description: str
    period: Period
    currency: str
    charged: int
    tax: int
    paid: int
    refunded: int = 0
    in_flight: int = 0
    disputed: int = 0

    @property
    def refundable(self) -> int:
        """The most that can still be returned: what was paid and is not returned, on its way or disputed."""
        return max(0, self.paid - self.refunded - self.disputed)

    def tax_in(self, refund: int) -> int:
        """The tax inside a refund, in the proportion of the tax inside the charge, split by largest remainder."""
        _, tax = largest_remainder(refund, (self.charged - self.tax, self.tax))
        return tax


@dataclass(frozen=True, slots=True)
class Line:
    """One charge of a quote. ``refund`` includes ``refund_tax``; ``reason`` says why it is zero, if it is.

    ``line_reason``: why ``refund`` is not, to the cent, what the time that is left gives. ``original``: the same in the
    currency of the charge, where that ended and this is its successor.
    """

    charge_id: int
    description: str
    period: Period
    charged: Money
    used: Money
    refund: Money
    refund_tax: Money
    used_units: int
    period_units: int
    reason: NoRefundReason | None
    line_reason: LineReason | None
    original: Line | None = None

    @property
    def own(self) -> Line:
        """In the currency of its charge."""
        return self.original or self

    def into(self, currency: str) -> Line:
        """In the successor of its currency, each amount by itself; as it is where it is in ``currency`` already."""
        if currency == self.refund.currency:
            return self
        return replace(
            self,
            charged=self.charged.into(currency),
            used=self.used.into(currency),
            refund=self.refund.into(currency),
            refund_tax=self.refund_tax.into(currency),
            original=self.own,
        )


def period_units(period: Period, convention: Convention, zone: ZoneInfo) -> int:
    """Seconds for SECOND, local calendar days for all others (a day of 23 or 25 hours is a day); at least 1."""
    if convention is Convention.SECOND:
        return max(1, _seconds(period.end - period.start))
    return max(1, _local_days(period.start, period.end, zone))


def used_units(period: Period, at: datetime, convention: Convention, zone: ZoneInfo) -> int:
    """Units of ``period`` used when canceling at ``at``: 0 before it begins, never more than it has."""
    total = period_units(period, convention, zone)
    if not period.has_begun(at):
        return 0
    if at >= period.end:
        return total
    match convention:
        case Convention.SECOND:
            used = _seconds(at - period.start)
        case Convention.ELAPSED_24H:
            used = (at - period.start) // timedelta(hours=24)
        case Convention.CALENDAR_DAY:
            used = _local_days(period.start, at, zone)
        case Convention.CALENDAR_DAY_INCLUSIVE:
            used = _local_days(period.start, at, zone) + 1
    return min(used, total)


def prorate(charge: ChargeFacts, at: datetime, terms: RefundTerms) -> Line:
    """Used = round_half_up(charged * used_units / period_units); refund = clamp(paid - used, 0, paid - refunded).

    A charge whose period has not begun is returned whole, and so is one inside the full-refund window. Windows close
    by the clock since the charge began, however few units were used.
    """
    if not charge.period.has_begun(at):
        return unbegun(charge, terms)
    elapsed = at - charge.period.start
    if terms.full_hours is not None and elapsed < timedelta(hours=terms.full_hours):
        return _line(charge, terms, units_used=0)
    closed = terms.prorated_hours is not None and elapsed >= timedelta(hours=terms.prorated_hours)
    return _line(charge, terms, used_units(charge.period, at, terms.convention, terms.zone), closed=closed)


def unbegun(charge: ChargeFacts, terms: RefundTerms) -> Line:
    """A charge of which no time is used: returned whole, outside every window."""
    return _line(charge, terms, units_used=0, begun=False)


def after_end(charge: ChargeFacts, end: datetime, terms: RefundTerms) -> Line:
    """What of a charge is for time after ``end``, until which all of it can be used; outside every window."""
    # A day that counts as used is one that was begun before the end.
    last = end - timedelta(microseconds=1) if terms.convention is Convention.CALENDAR_DAY_INCLUSIVE else end
    return _line(charge, terms, used_units(charge.period, last, terms.convention, terms.zone))


def _line(
    charge: ChargeFacts, terms: RefundTerms, units_used: int, *, closed: bool = False, begun: bool = True
) -> Line:
    """The tax inside the refund is in the proportion of the tax inside the charge, split by largest remainder."""
    units = period_units(charge.period, terms.convention, terms.zone)
    used = round_half_up(Fraction(charge.charged * units_used, units))
    unused = max(charge.paid - used, 0)
    refund = 0 if closed else min(unused, charge.refundable)
    reason = None if refund else _reason(charge, closed=closed)
    return Line(
        charge_id=charge.id,
        description=charge.description,
        period=charge.period,
        charged=Money(charge.charged, charge.currency),
        used=Money(used, charge.currency),
        refund=Money(refund, charge.currency),
        refund_tax=Money(charge.tax_in(refund), charge.currency),
        used_units=units_used,
        period_units=units,
        reason=reason,
        line_reason=_line_reason(charge, reason, unused, begun=begun),
    )


def _reason(charge: ChargeFacts, *, closed: bool) -> NoRefundReason:
    if charge.charged == 0:
        return NoRefundReason.NOTHING_CHARGED
    if charge.paid == 0:
        return NoRefundReason.NOTHING_SETTLED
    if charge.refundable == 0:
        return NoRefundReason(_taken(charge).value)
    return NoRefundReason.WINDOW_CLOSED if closed else NoRefundReason.FULLY_USED


def _line_reason(charge: ChargeFacts, reason: NoRefundReason | None, unused: int, *, begun: bool) -> LineReason | None:
    if reason and reason.value in set(LineReason):
        return LineReason(reason.value)
    if charge.refundable < unused:
        return _taken(charge)
    return None if begun else LineReason.NOT_BEGUN


def _taken(charge: ChargeFacts) -> LineReason:
    """What keeps a part of a charge from coming back. Of both, the one that is still open."""
    still = charge.disputed and charge.refunded < charge.paid
    return LineReason.DISPUTED if still else LineReason.ALREADY_REFUNDED


def promised_currency(currencies: Iterable[str], day: date) -> str:
    """The one that charges of these are promised in together on a local ``day``: what they became, if they ended."""
    now = {currency_on(currency, day) for currency in currencies}
    return next((last for last in now if all(last == one or succeeds(last, one) for one in now)), min(now))


def overall_reason(lines: Iterable[Line]) -> NoRefundReason:
    """The one reason to say for lines of which none gives anything back."""
    reasons = (line.reason for line in lines if line.reason)
    return max(reasons, key=lambda reason: reason.weight, default=NoRefundReason.NO_CHARGE_ON_RECORD)


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)


def _local_days(start: datetime, end: datetime, zone: ZoneInfo) -> int:
    return (end.astimezone(zone).date() - start.astimezone(zone).date()).days
