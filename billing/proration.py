"""How much of a charge was used and how much of it comes back. Pure: exact fractions, one rounding.

Source: the help page ("any prorated credit will be returned to you") and, for the conventions, the published
rules of other billing systems; see docs/decisions/0004-proration.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from zoneinfo import ZoneInfo

from billing.money import Money, largest_remainder, round_half_up
from billing.periods import Period


class Convention(StrEnum):
    """What counts as a used unit. The policy chooses; every quote names it."""

    ELAPSED_24H = "ELAPSED_24H"
    CALENDAR_DAY = "CALENDAR_DAY"
    CALENDAR_DAY_INCLUSIVE = "CALENDAR_DAY_INCLUSIVE"
    SECOND = "SECOND"


class NoRefundReason(StrEnum):
    """Why nothing comes back. One of these is always said when there is no refund."""

    PERIOD_END = "PERIOD_END"
    TRIAL = "TRIAL"
    PREPAID = "PREPAID"
    WINDOW_CLOSED = "WINDOW_CLOSED"
    FULLY_USED = "FULLY_USED"
    ALREADY_REFUNDED = "ALREADY_REFUNDED"
    NOTHING_SETTLED = "NOTHING_SETTLED"
    NO_CHARGE_ON_RECORD = "NO_CHARGE_ON_RECORD"
    AGREED = "AGREED"


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

    ``charged`` and ``settled`` include ``tax``; ``refunded`` is all that is returned or on its way;
    ``in_flight`` is a payment that was started and has not settled.
    """

    id: int
    description: str
    period: Period
    currency: str
    charged: int
    tax: int
    settled: int
    refunded: int = 0
    in_flight: int = 0

    @property
    def refundable(self) -> int:
        """The most that can still be returned: what was paid and is not returned or on its way."""
        return max(0, self.settled - self.refunded)

    def tax_in(self, refund: int) -> int:
        """The tax inside a refund, in the proportion of the tax inside the charge, split by largest remainder."""
        _, tax = largest_remainder(refund, (self.charged - self.tax, self.tax))
        return tax


@dataclass(frozen=True, slots=True)
class Line:
    """One charge of a quote. ``refund`` includes ``refund_tax``; ``reason`` says why it is zero, if it is."""

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
    """Used = round_half_up(charged * used_units / period_units); refund = clamp(settled - used, 0, settled - refunded).

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
    """A charge of which no time is used: returned whole, outside every window.

    Asked for by itself at the end of a period, where what begins at that very instant has not begun.
    """
    return _line(charge, terms, units_used=0)


def _line(charge: ChargeFacts, terms: RefundTerms, units_used: int, *, closed: bool = False) -> Line:
    """The tax inside the refund is in the proportion of the tax inside the charge, split by largest remainder."""
    units = period_units(charge.period, terms.convention, terms.zone)
    used = round_half_up(Fraction(charge.charged * units_used, units))
    refund = 0 if closed else min(max(charge.settled - used, 0), charge.refundable)
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
        reason=None if refund else _reason(charge, closed=closed),
    )


def _reason(charge: ChargeFacts, *, closed: bool) -> NoRefundReason:
    if charge.settled == 0:
        return NoRefundReason.NOTHING_SETTLED
    if charge.refundable == 0:
        return NoRefundReason.ALREADY_REFUNDED
    return NoRefundReason.WINDOW_CLOSED if closed else NoRefundReason.FULLY_USED


# When the lines disagree, the reason that a person can do most with is said.
_REASONS_BY_WEIGHT = (
    NoRefundReason.ALREADY_REFUNDED,
    NoRefundReason.WINDOW_CLOSED,
    NoRefundReason.FULLY_USED,
    NoRefundReason.NOTHING_SETTLED,
)


def overall_reason(lines: Iterable[Line]) -> NoRefundReason:
    """The one reason to say for lines of which none gives anything back."""
    reasons = {line.reason for line in lines}
    return next((reason for reason in _REASONS_BY_WEIGHT if reason in reasons), NoRefundReason.NO_CHARGE_ON_RECORD)


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)


def _local_days(start: datetime, end: datetime, zone: ZoneInfo) -> int:
    return (end.astimezone(zone).date() - start.astimezone(zone).date()).days
