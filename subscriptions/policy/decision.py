"""How a subscription can be canceled: the rules as pure functions.

``evaluate`` is the only decision there is. Preview and execution both call it, with the same snapshot and the
same instant. Source of the rules: the help page "Canceling your subscription?" (docs/rules.md lists them row
by row, with what comes from the page and what closes its gaps).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from billing.periods import Period
from subscriptions.policy.facts import Channel, Mode, OnBehalf, Snapshot, Status
from subscriptions.policy.quotes import Quote, make_quote
from subscriptions.policy.status import converts, current_period, is_in_service, is_trial, status_at


class Route(StrEnum):
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
    REMOVALS_PENDING = "REMOVALS_PENDING"


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
        return tuple(make_quote(mode, self.snapshot, self.decided_at, self.priced_at) for mode in modes)

    def quote(self, mode: Mode) -> Quote | None:
        """The quote for one mode, or None when it is not on offer."""
        return next((quote for quote in self.quotes if quote.mode is mode), None)


def evaluate(snapshot: Snapshot, at: datetime, on_behalf: OnBehalf | None = None) -> Decision:
    """Decide how ``snapshot`` can be canceled at the aware instant ``at``, and price it.

    ``on_behalf`` lets 25 and more licenses cancel like 24, and credit counts from its ``credit_from``, but not from
    after ``at``. The charges must then be those not over at ``credit_from``.
    """
    ignore_limit = on_behalf is not None
    reason = _row(snapshot, at, ignore_limit=ignore_limit)
    options = [_found_out(option, snapshot, at, ignore_limit=ignore_limit) for option in _OPTIONS[reason]]
    return Decision(
        reason=reason,
        options=tuple(sorted(options, key=lambda option: not option.available)),
        status=status_at(snapshot, at),
        is_trial=is_trial(snapshot, at),
        period=current_period(snapshot, at),
        decided_at=at,
        priced_at=min(at, (on_behalf and on_behalf.credit_from) or at),
        snapshot=snapshot,
    )


def users_to_remove(snapshot: Snapshot) -> int:
    """How many more must be asked to lose their license before canceling online can open; never negative."""
    return max(0, snapshot.assigned - snapshot.pending - snapshot.policy.max_online)


def _row(snapshot: Snapshot, at: datetime, *, ignore_limit: bool) -> Reason:
    """The first row of the table that matches."""
    if snapshot.cancellation:
        undo_until = snapshot.cancellation.undo_until
        return Reason.UNDO_OPEN if at < undo_until else Reason.ALREADY_CANCELED
    if not is_in_service(status_at(snapshot, at)):
        return Reason.ALREADY_ENDED
    if snapshot.channel is Channel.PARTNER:
        return Reason.PARTNER_MANAGED
    if is_trial(snapshot, at):
        return Reason.TRIAL_CONVERTS if converts(snapshot) else Reason.TRIAL_EXPIRES_BY_ITSELF
    if ignore_limit or _under_limit(snapshot):
        return Reason.UNDER_LIMIT
    return Reason.LICENSES_AT_OR_OVER_LIMIT if users_to_remove(snapshot) else Reason.REMOVALS_PENDING


def _under_limit(snapshot: Snapshot) -> bool:
    return snapshot.counted <= snapshot.policy.max_online


_AVAILABLE = {
    Reason.UNDO_OPEN: (Route.UNDO_CANCELLATION, Route.CANCEL_ONLINE),
    Reason.ALREADY_CANCELED: (Route.NOTHING_TO_CANCEL,),
    Reason.ALREADY_ENDED: (Route.NOTHING_TO_CANCEL,),
    Reason.PARTNER_MANAGED: (Route.CONTACT_PARTNER,),
    Reason.TRIAL_EXPIRES_BY_ITSELF: (Route.NOTHING_TO_CANCEL,),
    Reason.TRIAL_CONVERTS: (Route.CANCEL_ONLINE,),
    Reason.UNDER_LIMIT: (Route.CANCEL_ONLINE,),
    Reason.REMOVALS_PENDING: (Route.REMOVE_USERS, Route.REQUEST_CALLBACK),
    Reason.LICENSES_AT_OR_OVER_LIMIT: (Route.REMOVE_USERS, Route.REQUEST_CALLBACK),
}


# The rows that the number of licenses decides.
_COUNTED = (Reason.UNDER_LIMIT, Reason.LICENSES_AT_OR_OVER_LIMIT)


# Where several routes are open: undo before canceling again, removal before the callback.
_SHOWN_FIRST = sorted(Route, key=lambda route: route is not Route.UNDO_CANCELLATION)


_OPTIONS = {
    reason: tuple(Option(route, route in routes, reason) for route in _SHOWN_FIRST)
    for reason, routes in _AVAILABLE.items()
}


def _found_out(option: Option, snapshot: Snapshot, at: datetime, *, ignore_limit: bool) -> Option:
    """An open route with its modes, or its number of users; it may turn out to be closed.

    Where several subscriptions share their holders the number is not sure: support can split them on the phone.
    """
    if option.route is Route.REQUEST_CALLBACK and option.reason in _COUNTED and snapshot.shares_licenses:
        return replace(option, available=True)
    if not option.available:
        return option
    if option.route is Route.CANCEL_ONLINE:
        modes = _modes(option.reason, snapshot, at, ignore_limit=ignore_limit)
        return replace(option, available=bool(modes), modes=modes)
    if option.route is Route.REMOVE_USERS:
        to_remove = users_to_remove(snapshot)
        if snapshot.removable - snapshot.pending < to_remove:
            return Option(option.route, False, Reason.ONLY_GROUP_LICENSES, users_to_remove=to_remove)
        return replace(option, users_to_remove=to_remove)
    return option


def _modes(reason: Reason, snapshot: Snapshot, at: datetime, *, ignore_limit: bool) -> tuple[Mode, ...]:
    """The modes on offer. A period that nobody knows leaves only IMMEDIATE."""
    if reason is Reason.UNDO_OPEN:
        at_end = snapshot.cancellation is not None and snapshot.cancellation.mode is Mode.AT_PERIOD_END
        return (Mode.IMMEDIATE,) if at_end and (ignore_limit or _under_limit(snapshot)) else ()
    if current_period(snapshot, at) is None:
        return (Mode.IMMEDIATE,)
    if reason is Reason.TRIAL_CONVERTS:
        return (Mode.AT_PERIOD_END,)
    return (Mode.IMMEDIATE, Mode.AT_PERIOD_END) if snapshot.renews else (Mode.IMMEDIATE,)
