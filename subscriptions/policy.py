"""How a subscription can be canceled, and what that gives back: the rules as pure functions.

``evaluate`` is the only verdict there is. Preview and execution both call it, with the same snapshot and the
same instant. Source of the rules: the help page "Canceling your subscription?" (docs/rules.md lists them row
by row, with what comes from the page and what closes its gaps).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property, reduce
from operator import add
from typing import TypedDict
from zoneinfo import ZoneInfo

from billing.money import Money, largest_remainder
from billing.periods import Period, refund_due_by, rolled
from billing.proration import (
    ChargeFacts,
    Convention,
    Line,
    NoRefundReason,
    RefundTerms,
    overall_reason,
    prorate,
    unbegun,
)

QUOTE_LIFETIME = timedelta(minutes=30)
UNDO_WINDOW = timedelta(hours=72)
EXPIRED_FOR = timedelta(days=30)
DISABLED_FOR = timedelta(days=90)
ERASED_AFTER = timedelta(days=180)


class Status(StrEnum):
    """Where a subscription is in its life. See status_at."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CANCELING = "CANCELING"
    EXPIRED = "EXPIRED"
    DISABLED = "DISABLED"
    DELETED = "DELETED"


class Channel(StrEnum):
    """Who sold it: us, a reseller, or a product key."""

    DIRECT = "DIRECT"
    PARTNER = "PARTNER"
    PREPAID = "PREPAID"


class Route(StrEnum):
    """A way out."""

    NOTHING_TO_CANCEL = "NOTHING_TO_CANCEL"
    CANCEL_ONLINE = "CANCEL_ONLINE"
    REMOVE_USERS = "REMOVE_USERS"
    REQUEST_CALLBACK = "REQUEST_CALLBACK"
    CONTACT_PARTNER = "CONTACT_PARTNER"
    UNDO_CANCELLATION = "UNDO_CANCELLATION"


class Reason(StrEnum):
    """The rule that decided."""

    UNDO_OPEN = "UNDO_OPEN"
    ALREADY_CANCELED = "ALREADY_CANCELED"
    ALREADY_ENDED = "ALREADY_ENDED"
    PARTNER_MANAGED = "PARTNER_MANAGED"
    TRIAL_EXPIRES_BY_ITSELF = "TRIAL_EXPIRES_BY_ITSELF"
    TRIAL_CONVERTS = "TRIAL_CONVERTS"
    UNDER_LIMIT = "UNDER_LIMIT"
    LICENSES_AT_OR_OVER_LIMIT = "LICENSES_AT_OR_OVER_LIMIT"
    ONLY_GROUP_LICENSES = "ONLY_GROUP_LICENSES"


class Mode(StrEnum):
    """Now, or when the period ends."""

    IMMEDIATE = "IMMEDIATE"
    AT_PERIOD_END = "AT_PERIOD_END"


@dataclass(frozen=True, slots=True)
class PolicyTerms:
    """The versioned, editable part of the rules, as a staff member saved it. Versions count per tenant; ids do not."""

    name: str
    version: int
    id: int = 0
    online_license_limit: int = 25
    limit_is_inclusive: bool = False
    convention: Convention = Convention.ELAPSED_24H
    full_refund_hours: int | None = None
    prorated_refund_hours: int | None = None

    @property
    def most_online(self) -> int:
        """The largest license count that still cancels online."""
        return self.online_license_limit if self.limit_is_inclusive else self.online_license_limit - 1


@dataclass(frozen=True, slots=True)
class InForce:
    """The cancellation in force: what was decided and until when it can be reversed."""

    mode: Mode
    effective_at: datetime
    undo_until: datetime


@dataclass(frozen=True, slots=True)
class QuoteFacts:
    """What a quote looks at besides: today's charges, and the holders who keep the product through another subscription.

    Read when a quote is asked for: a list of routes and reasons needs none of it.
    """

    charges: tuple[ChargeFacts, ...]
    still_covered: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the policy looks at, read in one go. Counts are distinct users.

    ``base_status`` is what billing or the import says; the status people see is ``status_at``.
    ``assigned`` counts users holding a license, ``removable`` those who hold it only directly,
    ``by_group`` those who hold it by a group (also when they hold it directly too).
    """

    base_status: Status
    is_trial: bool
    channel: Channel
    partner_name: str
    renews: bool
    has_payment_method: bool | None
    period: Period | None
    anchored_at: datetime | None
    term_months: int | None
    unit_price: Money | None
    zone: ZoneInfo
    purchased: int
    assigned: int
    removable: int
    by_group: int
    group_names: tuple[str, ...]
    for_quotes: QuoteFacts
    cancellation: InForce | None
    policy: PolicyTerms


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
    agreed: bool = False
    by_rule: Money | None = None

    @property
    def expires_at(self) -> datetime:
        """Executable until then."""
        return self.made_at + QUOTE_LIFETIME


@dataclass(frozen=True, slots=True)
class Option:
    """One route with its verdict. ``modes`` only on CANCEL_ONLINE, ``users_to_remove`` only on REMOVE_USERS."""

    route: Route
    available: bool
    reason: Reason
    users_to_remove: int | None = None
    modes: tuple[Mode, ...] = ()


@dataclass(frozen=True)
class Decision:
    """The verdict: every route, the one to show first in front. What it costs is found out when it is asked for."""

    reason: Reason
    options: tuple[Option, ...]
    status: Status
    is_trial: bool
    period: Period | None
    decided_at: datetime
    priced_at: datetime
    snapshot: Snapshot

    @property
    def route(self) -> Route:
        """The route to show first."""
        return self.options[0].route

    def option(self, route: Route) -> Option:
        """The verdict on one route."""
        return next(option for option in self.options if option.route is route)

    @cached_property
    def quotes(self) -> tuple[Quote, ...]:
        """One for each mode on offer."""
        modes = self.option(Route.CANCEL_ONLINE).modes
        return tuple(_quote(mode, self.snapshot, self.decided_at, self.priced_at) for mode in modes)

    def quote(self, mode: Mode) -> Quote | None:
        """The quote for one mode, or None when it is not on offer."""
        return next((quote for quote in self.quotes if quote.mode is mode), None)


def evaluate(
    snapshot: Snapshot, at: datetime, *, limit_lifted: bool = False, credit_from: datetime | None = None
) -> Decision:
    """Decide how ``snapshot`` can be canceled at the aware instant ``at``, and price it.

    For staff who cancel for a customer: ``limit_lifted`` lets 25 and more licenses cancel like 24, and credit counts
    from ``credit_from``, not after ``at``. The charges must then be those not over at ``credit_from``.
    """
    reason = _row(snapshot, at, limit_lifted=limit_lifted)
    options = [_found_out(option, snapshot, at, limit_lifted=limit_lifted) for option in _OPTIONS[reason]]
    return Decision(
        reason=reason,
        options=tuple(sorted(options, key=lambda option: not option.available)),
        status=status_at(snapshot, at),
        is_trial=_is_trial(snapshot, at),
        period=current_period(snapshot, at),
        decided_at=at,
        priced_at=min(at, credit_from or at),
        snapshot=snapshot,
    )


def status_at(snapshot: Snapshot, at: datetime) -> Status:
    """The status at ``at``: what was last said of it, moved on by the time that has passed since.

    After its end an immediate cancellation is DISABLED for 90 days; any other end is EXPIRED for 30 days and
    then DISABLED for 90. DELETED after that.
    """
    end = _end(snapshot)
    if end is None or at < end:
        return Status.CANCELING if snapshot.cancellation else snapshot.base_status
    if not snapshot.cancellation and snapshot.base_status not in (Status.ACTIVE, Status.SUSPENDED):
        return snapshot.base_status
    immediate = snapshot.cancellation is not None and snapshot.cancellation.mode is Mode.IMMEDIATE
    expired_for = timedelta(0) if immediate else EXPIRED_FOR
    if at < end + expired_for:
        return Status.EXPIRED
    return Status.DISABLED if at < end + expired_for + DISABLED_FOR else Status.DELETED


def current_period(snapshot: Snapshot, at: datetime) -> Period | None:
    """The period that contains ``at``: the one on record, or a later term when it renews by itself.

    Anchors do not drift: 31 January, 29 February, 31 March.
    """
    period = snapshot.period
    if period is None or at < period.end or not snapshot.renews or snapshot.cancellation:
        return period
    if snapshot.term_months is None:
        return None
    return rolled(snapshot.anchored_at or period.start, snapshot.term_months, at, snapshot.zone)


def converts(snapshot: Snapshot) -> bool:
    """Whether a trial turns into a paid subscription by itself. Nobody knows of a payment method: assume one."""
    return snapshot.is_trial and snapshot.renews and snapshot.has_payment_method is not False


def users_to_remove(snapshot: Snapshot) -> int:
    """How many users must lose their license before canceling online opens; never negative."""
    return max(0, snapshot.assigned - snapshot.policy.most_online)


def boundary_between(snapshot: Snapshot, made_at: datetime, now: datetime) -> bool:
    """Whether a period of the subscription or of a charge began or ended in (made_at, now]."""
    periods = [charge.period for charge in snapshot.for_quotes.charges]
    if period := current_period(snapshot, made_at):
        periods.append(period)
    return any(made_at < edge <= now for period in periods for edge in (period.start, period.end))


def _end(snapshot: Snapshot) -> datetime | None:
    if snapshot.cancellation:
        return snapshot.cancellation.effective_at
    goes_on = converts(snapshot) if snapshot.is_trial else snapshot.renews
    return None if goes_on or snapshot.period is None else snapshot.period.end


def _is_trial(snapshot: Snapshot, at: datetime) -> bool:
    """A trial that converts is a trial until its period ends."""
    converted = converts(snapshot) and not snapshot.cancellation and snapshot.period and at >= snapshot.period.end
    return snapshot.is_trial and not converted


def _row(snapshot: Snapshot, at: datetime, *, limit_lifted: bool) -> Reason:
    """The first row of the table that matches."""
    if snapshot.cancellation:
        undo_until = snapshot.cancellation.undo_until
        return Reason.UNDO_OPEN if at < undo_until else Reason.ALREADY_CANCELED
    if status_at(snapshot, at) not in (Status.ACTIVE, Status.SUSPENDED):
        return Reason.ALREADY_ENDED
    if snapshot.channel is Channel.PARTNER:
        return Reason.PARTNER_MANAGED
    if _is_trial(snapshot, at):
        return Reason.TRIAL_CONVERTS if converts(snapshot) else Reason.TRIAL_EXPIRES_BY_ITSELF
    return Reason.UNDER_LIMIT if limit_lifted or _under_limit(snapshot) else Reason.LICENSES_AT_OR_OVER_LIMIT


def _under_limit(snapshot: Snapshot) -> bool:
    return snapshot.assigned <= snapshot.policy.most_online


_AVAILABLE = {
    Reason.UNDO_OPEN: (Route.UNDO_CANCELLATION, Route.CANCEL_ONLINE),
    Reason.ALREADY_CANCELED: (Route.NOTHING_TO_CANCEL,),
    Reason.ALREADY_ENDED: (Route.NOTHING_TO_CANCEL,),
    Reason.PARTNER_MANAGED: (Route.CONTACT_PARTNER,),
    Reason.TRIAL_EXPIRES_BY_ITSELF: (Route.NOTHING_TO_CANCEL,),
    Reason.TRIAL_CONVERTS: (Route.CANCEL_ONLINE,),
    Reason.UNDER_LIMIT: (Route.CANCEL_ONLINE,),
    Reason.LICENSES_AT_OR_OVER_LIMIT: (Route.REMOVE_USERS, Route.REQUEST_CALLBACK),
}


# Where several routes are open: undo before canceling again, removal before the callback.
_SHOWN_FIRST = sorted(Route, key=lambda route: route is not Route.UNDO_CANCELLATION)
_OPTIONS = {
    reason: tuple(Option(route, route in routes, reason) for route in _SHOWN_FIRST)
    for reason, routes in _AVAILABLE.items()
}


def _found_out(option: Option, snapshot: Snapshot, at: datetime, *, limit_lifted: bool) -> Option:
    """An open route with its modes, or its number of users; it may turn out to be closed."""
    if not option.available:
        return option
    if option.route is Route.CANCEL_ONLINE:
        modes = _modes(option.reason, snapshot, at, limit_lifted=limit_lifted)
        return replace(option, available=bool(modes), modes=modes)
    if option.route is Route.REMOVE_USERS:
        to_remove = users_to_remove(snapshot)
        if snapshot.removable < to_remove:
            return Option(option.route, False, Reason.ONLY_GROUP_LICENSES, users_to_remove=to_remove)
        return replace(option, users_to_remove=to_remove)
    return option


def _modes(reason: Reason, snapshot: Snapshot, at: datetime, *, limit_lifted: bool) -> tuple[Mode, ...]:
    """The modes on offer. A period that nobody knows leaves only IMMEDIATE."""
    if reason is Reason.UNDO_OPEN:
        at_end = snapshot.cancellation is not None and snapshot.cancellation.mode is Mode.AT_PERIOD_END
        return (Mode.IMMEDIATE,) if at_end and (limit_lifted or _under_limit(snapshot)) else ()
    if current_period(snapshot, at) is None:
        return (Mode.IMMEDIATE,)
    if reason is Reason.TRIAL_CONVERTS:
        return (Mode.AT_PERIOD_END,)
    return (Mode.IMMEDIATE, Mode.AT_PERIOD_END) if snapshot.renews else (Mode.IMMEDIATE,)


def ends_by_itself(snapshot: Snapshot, at: datetime) -> datetime | None:
    """When a subscription that does not renew ends without anybody doing anything, if known."""
    period = current_period(snapshot, at)
    return None if snapshot.renews or snapshot.cancellation or period is None else period.end


def effective(quote: Quote, executed_at: datetime, period: Period | None) -> Quote:
    """The quote as executed: an immediate cancellation takes effect when it was executed, its dates with it."""
    if quote.mode is Mode.AT_PERIOD_END:
        return quote
    return replace(quote, **_dates(Mode.IMMEDIATE, executed_at, period))


def prorates(quote: Quote, snapshot: Snapshot) -> bool:
    """Whether time that is paid and not used comes back, also of charges that are not known yet.

    Otherwise only what begins after the end does: a trial and a product key return nothing of their own time.
    """
    return _prorates(quote.mode, snapshot, quote.made_at)


def _prorates(mode: Mode, snapshot: Snapshot, at: datetime) -> bool:
    return mode is Mode.IMMEDIATE and snapshot.channel is not Channel.PREPAID and not _is_trial(snapshot, at)


def refundable(quote: Quote, snapshot: Snapshot) -> int:
    """The most that the charges of a quote can return, in minor units: what was paid and not returned before."""
    return sum(_charge(line, snapshot).refundable for line in quote.lines)


def agreed(quote: Quote, amount: int, snapshot: Snapshot) -> Quote:
    """The quote with ``amount`` (minor units, 0 to ``refundable``) spread over its charges by what each can return."""
    shares = (
        largest_remainder(amount, [_charge(line, snapshot).refundable for line in quote.lines]) if quote.lines else []
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


def _charge(line: Line, snapshot: Snapshot) -> ChargeFacts:
    return next(charge for charge in snapshot.for_quotes.charges if charge.id == line.charge_id)


def _returning(line: Line, share: int, snapshot: Snapshot) -> Line:
    charge = _charge(line, snapshot)
    return replace(
        line,
        refund=Money(share, charge.currency),
        refund_tax=Money(charge.tax_in(share), charge.currency),
        reason=None if share else NoRefundReason.AGREED,
    )


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


def _quote(mode: Mode, snapshot: Snapshot, at: datetime, priced_at: datetime) -> Quote:
    period = current_period(snapshot, at)
    effective_at = at if mode is Mode.IMMEDIATE or period is None else period.end
    terms = RefundTerms(
        snapshot.policy.convention,
        snapshot.zone,
        snapshot.policy.full_refund_hours,
        snapshot.policy.prorated_refund_hours,
    )
    charges, reason = _refundable(mode, snapshot, at, priced_at, effective_at)
    lines = tuple(
        prorate(charge, priced_at, terms) if _prorates(mode, snapshot, at) else unbegun(charge, terms)
        for charge in charges
    )
    refund = reduce(add, (line.refund for line in lines)) if lines else None
    if refund is not None and refund.minor_units == 0:
        refund = None
    if refund is None:
        reason = reason or overall_reason(lines)
    return Quote(
        mode=mode,
        made_at=at,
        priced_at=priced_at,
        lines=lines,
        refund=refund,
        no_refund_reason=None if refund else reason,
        convention=snapshot.policy.convention,
        refund_due_by=_due_by(snapshot, lines, at) if refund else None,
        pending_charges=tuple(Money(charge.in_flight, charge.currency) for charge in charges if charge.in_flight),
        affected_users=snapshot.assigned,
        users_still_covered=snapshot.for_quotes.still_covered,
        policy_id=snapshot.policy.id,
        policy_version=snapshot.policy.version,
        **_dates(mode, effective_at, period),
    )


def _due_by(snapshot: Snapshot, lines: Sequence[Line], at: datetime) -> date | None:
    period = current_period(snapshot, at)
    anchor = snapshot.anchored_at or (period.start if period else lines[0].period.start if lines else None)
    return refund_due_by(anchor, at, snapshot.zone) if anchor else None


def _refundable(
    mode: Mode, snapshot: Snapshot, at: datetime, priced_at: datetime, effective_at: datetime
) -> tuple[list[ChargeFacts], NoRefundReason | None]:
    """The charges a quote has a line for, and the reason to give when none of them returns anything."""
    charges = snapshot.for_quotes.charges
    unbegun_then = [charge for charge in charges if charge.period.begins_after(effective_at)]
    if snapshot.channel is Channel.PREPAID:
        return unbegun_then, NoRefundReason.PREPAID
    if _is_trial(snapshot, at):
        return unbegun_then, NoRefundReason.TRIAL
    if mode is Mode.AT_PERIOD_END:
        return unbegun_then, NoRefundReason.PERIOD_END
    return [charge for charge in charges if charge.period.end > priced_at], None
