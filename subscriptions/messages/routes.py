"""How to leave, and why a way is closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.formatting import format_money
from billing.money import Money
from billing.periods import Period
from common.formatting import format_date, format_datetime
from common.messages import fill
from subscriptions.policy.decision import Decision, Option, Reason, Route, users_to_remove
from subscriptions.policy.facts import InForce, Snapshot, Status
from subscriptions.policy.status import ends_by_itself

_GROUPS_NAMED = 5


def headline(snapshot: Snapshot, decision: Decision) -> str:
    """One sentence that says how to leave."""
    return option_message(decision.options[0], snapshot, decision)


def option_message(option: Option, snapshot: Snapshot, decision: Decision) -> str:
    """Why this route is open, or why it is not."""
    if option.route is Route.REMOVE_USERS and option.reason is Reason.LICENSES_AT_OR_OVER_LIMIT:
        return _remove_users(snapshot)
    if option.route is Route.REQUEST_CALLBACK and option.available:
        return _shared() if snapshot.shares_licenses else _("Let us call you: a support engineer cancels it with you.")
    if option.route is Route.CANCEL_ONLINE and option.reason is Reason.UNDO_OPEN and option.available:
        return fill(
            _("It stays in use until %(date)s. You can also cancel it right now instead."),
            {"date": format_date(_in_force(snapshot).effective_at, snapshot.zone)},
        )
    return _BY_REASON[option.reason](snapshot, decision)


def _shared() -> str:
    return _(
        "You have this product more than once, and who holds which is not known: every user counts for each. Let us call"
        " you to sort it out."
    )


def _in_force(snapshot: Snapshot) -> InForce:
    assert snapshot.cancellation is not None
    return snapshot.cancellation


def _undo_open(snapshot: Snapshot, decision: Decision) -> str:
    return fill(
        _("This subscription is canceled. You can undo the cancellation until %(when)s."),
        {"when": format_datetime(_in_force(snapshot).undo_until, snapshot.zone)},
    )


def _already_canceled(snapshot: Snapshot, decision: Decision) -> str:
    return fill(
        _("This subscription is already canceled: it ended on %(date)s."),
        {"date": format_date(_in_force(snapshot).effective_at, snapshot.zone)},
    )


def _already_ended(snapshot: Snapshot, decision: Decision) -> str:
    return _("This subscription has already ended. There is nothing to cancel.")


def _partner(snapshot: Snapshot, decision: Decision) -> str:
    if not snapshot.partner_name:
        return _("A partner sold this subscription. Contact them to cancel it.")
    return fill(_("%(partner)s sold this subscription. Contact them to cancel it."), {"partner": snapshot.partner_name})


def _trial_expires(snapshot: Snapshot, decision: Decision) -> str:
    if decision.period is None:
        return _("The trial ends by itself and you will not be charged.")
    return fill(
        _("The trial ends on %(date)s by itself and you will not be charged."),
        {"date": format_date(decision.period.end, snapshot.zone)},
    )


def _trial_converts(snapshot: Snapshot, decision: Decision) -> str:
    amount = conversion_amount(snapshot)
    values = {
        "date": _end_or_nothing(decision.period, snapshot),
        "amount": format_money(amount) if amount else "",
    }
    if decision.period is None:
        return _("This trial becomes paid by itself. Stop it now.")
    if snapshot.has_payment_method is None:
        return fill(
            _("This trial may become paid on %(date)s: you may be charged. Stop it now; you can use it until then."),
            values,
        )
    if amount is None:
        return fill(_("This trial becomes paid on %(date)s. Stop it now; you can use it until then."), values)
    return fill(_("This trial becomes paid on %(date)s (%(amount)s). Stop it now; you can use it until then."), values)


def _end_or_nothing(period: Period | None, snapshot: Snapshot) -> str:
    return format_date(period.end, snapshot.zone) if period else ""


def conversion_amount(snapshot: Snapshot) -> Money | None:
    """What a trial would cost for its next term: the price of a license times the licenses, if known."""
    price = snapshot.unit_price
    return Money(price.minor_units * snapshot.purchased, price.currency) if price else None


def _under_limit(snapshot: Snapshot, decision: Decision) -> str:
    if snapshot.counted > snapshot.policy.max_online:
        # Only where the limit was lifted: staff cancel for a customer.
        sentence = ngettext(
            "You can cancel for the customer: %(count)d license is assigned.",
            "You can cancel for the customer: %(count)d licenses are assigned.",
            snapshot.counted,
        )
    else:
        sentence = ngettext(
            "You can cancel online: %(count)d license is assigned.",
            "You can cancel online: %(count)d licenses are assigned.",
            snapshot.counted,
        )
    sentence %= {"count": snapshot.counted}
    ends = ends_by_itself(snapshot, decision.decided_at)
    if ends is None:
        return sentence
    already = fill(_("It does not renew and already ends on %(date)s."), {"date": format_date(ends, snapshot.zone)})
    return f"{sentence} {already}"


def _over_limit(snapshot: Snapshot, decision: Decision) -> str:
    limit = snapshot.policy.max_online
    assigned = ngettext("%(count)d license is assigned.", "%(count)d licenses are assigned.", snapshot.assigned) % {
        "count": snapshot.assigned
    }
    opens = ngettext(
        "Canceling online opens at %(count)d license or fewer.",
        "Canceling online opens at %(count)d licenses or fewer.",
        limit,
    ) % {"count": limit}
    return f"{assigned} {opens}"


def _remove_users(snapshot: Snapshot) -> str:
    assigned = ngettext("%(count)d license is assigned.", "%(count)d licenses are assigned.", snapshot.assigned) % {
        "count": snapshot.assigned
    }
    to_remove = users_to_remove(snapshot)
    remove = ngettext(
        "Remove %(count)d user to cancel online.", "Remove %(count)d users to cancel online.", to_remove
    ) % {"count": to_remove}
    return f"{assigned} {_pending(snapshot)} {remove}" if snapshot.pending else f"{assigned} {remove}"


def _removals_pending(snapshot: Snapshot, decision: Decision) -> str:
    return ngettext(
        "%(count)d removal is with your directory; online canceling opens when it is confirmed.",
        "%(count)d removals are with your directory; online canceling opens when they are confirmed.",
        snapshot.pending,
    ) % {"count": snapshot.pending}


def _pending(snapshot: Snapshot) -> str:
    return ngettext(
        "%(count)d removal is with your directory.",
        "%(count)d removals are with your directory.",
        snapshot.pending,
    ) % {"count": snapshot.pending}


def _only_groups(snapshot: Snapshot, decision: Decision) -> str:
    return _(
        "Too few licenses are assigned directly to cancel online: others come from groups (%(groups)s) and are"
        " removed there."
    ) % {"groups": listed(snapshot.group_names)}


def listed(names: tuple[str, ...]) -> str:
    """Names in a sentence: at most five, the rest as a number."""
    named, more = names[:_GROUPS_NAMED], len(names) - _GROUPS_NAMED
    listed = ", ".join(named)
    return f"{listed} +{more}" if more > 0 else listed


_BY_REASON: Mapping[Reason, Callable[[Snapshot, Decision], str]] = {
    Reason.UNDO_OPEN: _undo_open,
    Reason.ALREADY_CANCELED: _already_canceled,
    Reason.ALREADY_ENDED: _already_ended,
    Reason.PARTNER_MANAGED: _partner,
    Reason.TRIAL_EXPIRES_BY_ITSELF: _trial_expires,
    Reason.TRIAL_CONVERTS: _trial_converts,
    Reason.UNDER_LIMIT: _under_limit,
    Reason.LICENSES_AT_OR_OVER_LIMIT: _over_limit,
    Reason.ONLY_GROUP_LICENSES: _only_groups,
    Reason.REMOVALS_PENDING: _removals_pending,
}


def reason_message(reason: Reason, snapshot: Snapshot, decision: Decision) -> str:
    """Why something is not possible, by the rule that decided."""
    return _BY_REASON[reason](snapshot, decision)


def route_name(route: Route) -> str:
    """The name of a way out."""
    return {
        Route.NOTHING_TO_CANCEL: _("Nothing to cancel"),
        Route.CANCEL_ONLINE: _("Cancel online"),
        Route.REMOVE_USERS: _("Remove users"),
        Route.REQUEST_CALLBACK: _("Let us call you"),
        Route.CONTACT_PARTNER: _("Contact your partner"),
        Route.UNDO_CANCELLATION: _("Undo the cancellation"),
    }[route]


def status_name(status: Status) -> str:
    """The status, as a word in the list."""
    return {
        Status.ACTIVE: _("Active"),
        Status.SUSPENDED: _("Suspended"),
        Status.CANCELING: _("Canceling"),
        Status.EXPIRED: _("Expired"),
        Status.DISABLED: _("Disabled"),
        Status.DELETED: _("Deleted"),
    }[status]
