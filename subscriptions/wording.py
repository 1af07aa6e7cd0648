"""The sentences: what a verdict, a quote, an outcome or an error says to a person, in the active language.

Codes never change with the language; these do. The API, the admin and the receipt all read them from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.formatting import format_money
from billing.money import Money
from billing.periods import Period
from billing.proration import Convention, NoRefundReason
from common.formatting import format_date, format_datetime, format_day
from subscriptions.directory.licenses import Outcome, Removal
from subscriptions.errors import SubscriptionError
from subscriptions.policy.decision import Decision, Option, Reason, Route, users_to_remove
from subscriptions.policy.facts import InForce, Mode, Snapshot, Status
from subscriptions.policy.quotes import Quote
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
        return _("Let us call you: a support engineer cancels it with you.")
    if option.route is Route.CANCEL_ONLINE and option.reason is Reason.UNDO_OPEN and option.available:
        return _("It stays in use until %(date)s. You can also cancel it right now instead.") % {
            "date": format_date(_in_force(snapshot).effective_at, snapshot.zone)
        }
    return _BY_REASON[option.reason](snapshot, decision)


def _in_force(snapshot: Snapshot) -> InForce:
    assert snapshot.cancellation is not None
    return snapshot.cancellation


def _undo_open(snapshot: Snapshot, decision: Decision) -> str:
    return _("This subscription is canceled. You can undo the cancellation until %(when)s.") % {
        "when": format_datetime(_in_force(snapshot).undo_until, snapshot.zone)
    }


def _already_canceled(snapshot: Snapshot, decision: Decision) -> str:
    return _("This subscription is already canceled: it ended on %(date)s.") % {
        "date": format_date(_in_force(snapshot).effective_at, snapshot.zone)
    }


def _already_ended(snapshot: Snapshot, decision: Decision) -> str:
    return _("This subscription has already ended. There is nothing to cancel.")


def _partner(snapshot: Snapshot, decision: Decision) -> str:
    if not snapshot.partner_name:
        return _("A partner sold this subscription. Contact them to cancel it.")
    return _("%(partner)s sold this subscription. Contact them to cancel it.") % {"partner": snapshot.partner_name}


def _trial_expires(snapshot: Snapshot, decision: Decision) -> str:
    if decision.period is None:
        return _("The trial ends by itself and you will not be charged.")
    return _("The trial ends on %(date)s by itself and you will not be charged.") % {
        "date": format_date(decision.period.end, snapshot.zone)
    }


def _trial_converts(snapshot: Snapshot, decision: Decision) -> str:
    amount = conversion_amount(snapshot)
    values = {
        "date": _end_or_nothing(decision.period, snapshot),
        "amount": format_money(amount) if amount else "",
    }
    if decision.period is None:
        return _("This trial becomes paid by itself. Stop it now.")
    if snapshot.has_payment_method is None:
        return (
            _("This trial may become paid on %(date)s: you may be charged. Stop it now; you can use it until then.")
            % values
        )
    if amount is None:
        return _("This trial becomes paid on %(date)s. Stop it now; you can use it until then.") % values
    return _("This trial becomes paid on %(date)s (%(amount)s). Stop it now; you can use it until then.") % values


def _end_or_nothing(period: Period | None, snapshot: Snapshot) -> str:
    return format_date(period.end, snapshot.zone) if period else ""


def conversion_amount(snapshot: Snapshot) -> Money | None:
    """What a trial would cost for its next term: the price of a license times the licenses, if known."""
    price = snapshot.unit_price
    return Money(price.minor_units * snapshot.purchased, price.currency) if price else None


def _under_limit(snapshot: Snapshot, decision: Decision) -> str:
    if snapshot.assigned > snapshot.policy.most_online:
        # Only where the limit was lifted: staff cancel for a customer.
        sentence = ngettext(
            "You can cancel for the customer: %(count)d license is assigned.",
            "You can cancel for the customer: %(count)d licenses are assigned.",
            snapshot.assigned,
        )
    else:
        sentence = ngettext(
            "You can cancel online: %(count)d license is assigned.",
            "You can cancel online: %(count)d licenses are assigned.",
            snapshot.assigned,
        )
    sentence %= {"count": snapshot.assigned}
    ends = ends_by_itself(snapshot, decision.decided_at)
    if ends is None:
        return sentence
    already = _("It does not renew and already ends on %(date)s.") % {"date": format_date(ends, snapshot.zone)}
    return f"{sentence} {already}"


def _over_limit(snapshot: Snapshot, decision: Decision) -> str:
    most = snapshot.policy.most_online
    assigned = ngettext("%(count)d license is assigned.", "%(count)d licenses are assigned.", snapshot.assigned) % {
        "count": snapshot.assigned
    }
    opens = ngettext(
        "Canceling online opens at %(count)d license or fewer.",
        "Canceling online opens at %(count)d licenses or fewer.",
        most,
    ) % {"count": most}
    return f"{assigned} {opens}"


def _remove_users(snapshot: Snapshot) -> str:
    assigned = ngettext("%(count)d license is assigned.", "%(count)d licenses are assigned.", snapshot.assigned) % {
        "count": snapshot.assigned
    }
    to_remove = users_to_remove(snapshot)
    remove = ngettext(
        "Remove %(count)d user to cancel online.", "Remove %(count)d users to cancel online.", to_remove
    ) % {"count": to_remove}
    return f"{assigned} {remove}"


def _only_groups(snapshot: Snapshot, decision: Decision) -> str:
    return _(
        "Too few licenses are assigned directly to cancel online: others come from groups (%(groups)s) and are"
        " removed there."
    ) % {"groups": _listed(snapshot.group_names)}


def _listed(names: tuple[str, ...]) -> str:
    """At most five names; the rest as a number."""
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
}


def quote_explanation(quote: Quote, snapshot: Snapshot) -> str:
    """How the credit was computed, or why there is none: 26 of 28 days unused, whole 24-hour days."""
    if quote.no_refund_reason:
        return no_refund_sentence(quote.no_refund_reason, quote.effective_at, snapshot.zone)
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
        "refund": format_money(quote.refund) if quote.refund else "",
        "explanation": quote_explanation(quote, snapshot),
        "due_by": format_day(quote.refund_due_by) if quote.refund_due_by else "",
        "data_until": format_date(quote.data_available_until, zone),
        "erased_by": format_date(quote.data_erased_by, zone),
        "undo_until": format_datetime(quote.undo_until, zone),
    }


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


def no_refund_sentence(reason: NoRefundReason, effective_at: datetime, zone: ZoneInfo) -> str:
    """Why no credit is due. Never "a refund of 0.00"."""
    sentences = {
        NoRefundReason.PERIOD_END: _("No credit is due because you can use all that was paid, until %(date)s."),
        NoRefundReason.TRIAL: _("No credit is due because a trial costs nothing."),
        NoRefundReason.PREPAID: _("No credit is due because it was paid with a product key."),
        NoRefundReason.WINDOW_CLOSED: _("No credit is due because the time for refunds is over."),
        NoRefundReason.FULLY_USED: _("No credit is due because all that was paid is used up."),
        NoRefundReason.ALREADY_REFUNDED: _("No credit is due because it was already refunded."),
        NoRefundReason.NOTHING_SETTLED: _("No credit is due because no payment has arrived yet."),
        NoRefundReason.NO_CHARGE_ON_RECORD: _("No credit is due because no charge is on record."),
        NoRefundReason.AGREED: _("No credit is due, as agreed with support."),
    }
    return sentences[reason] % {"date": format_date(effective_at, zone)}


def mode_name(mode: Mode) -> str:
    """Now, or at the end of the period."""
    return {Mode.IMMEDIATE: _("immediately"), Mode.AT_PERIOD_END: _("at the end of the period")}[mode]


def removal_message(removal: Removal) -> str:
    """What became of one user."""
    sentences = {
        Outcome.REMOVED: _("The license was removed."),
        Outcome.NOT_ASSIGNED: _("This user holds no license of this subscription."),
        Outcome.NOT_FOUND: _("There is no such user."),
        Outcome.DUPLICATE: _("This user is in the list more than once."),
        Outcome.GROUP_INHERITED: _("The license comes from a group (%(groups)s): remove the user from it."),
        Outcome.STILL_ASSIGNED_BY_GROUP: _(
            "The direct license was removed, but a group (%(groups)s) still hands one out: remove the user from it."
        ),
    }
    return sentences[removal.outcome] % {"groups": _listed(removal.group_names)}


def would_be_message(removal: Removal) -> str:
    """What would become of one user, in a dry run."""
    if removal.outcome is Outcome.REMOVED:
        return _("The license would be removed.")
    if removal.outcome is Outcome.STILL_ASSIGNED_BY_GROUP:
        return _("The direct license would be removed, but a group (%(groups)s) would still hand one out.") % {
            "groups": _listed(removal.group_names)
        }
    return removal_message(removal)


def _rule_sentence(error: SubscriptionError) -> str:
    limit = int(str(error.data.get("limit") or 0))
    match error.data.get("rule"):
        case "length":
            return ngettext("At most %(limit)d character.", "At most %(limit)d characters.", limit) % {"limit": limit}
        case "required":
            return _("This field must not be empty.")
        case "slot":
            return _("Later than now and within 30 days, please.")
        case "day":
            return _("It is %(time)s there then. Between 09:00 and 19:00 of the customer, please.") % error.data
        case "characters":
            return _("This field contains characters that are not text.")
        case "choice":
            return _("This value is not one of the choices.")
        case "range":
            return _("This must be a number from %(least)s to %(limit)s.") % error.data
        case "another_number":
            return _("Nobody answers to this number. Another one, please.")
        case "zone":
            return _("A date and time needs an offset, for example 2026-11-25T10:00:00+02:00.")
        case _:
            return _("This value cannot be read.")


def error_message(error: SubscriptionError) -> str:
    """What went wrong and what to do next."""
    match error.code:
        case "INPUT_INVALID":
            return str(error.data.get("sentence") or _rule_sentence(error))
        case "NOT_PERMITTED" if error.data.get("scope"):
            return (
                _("You are not allowed to do this. It takes the scope %(scope)s, or the role of an admin.") % error.data
            )
        case "TOO_MANY_USERS":
            limit = int(str(error.data["limit"]))
            return ngettext(
                "At most %(limit)d user in one call. Send the rest in another.",
                "At most %(limit)d users in one call. Send the rest in another.",
                limit,
            ) % {"limit": limit}
        case code:
            return {
                "NOT_AUTHENTICATED": _("Sign in, or send a valid token."),
                "NOT_PERMITTED": _("You are not allowed to do this."),
                "NOT_FOUND": _("There is nothing with this id."),
                "QUOTE_INVALID": _("This is not a quote for this subscription. Ask for a new one."),
                "QUOTE_EXPIRED": _("This quote has expired; nothing was canceled. Here is a new one."),
                "QUOTE_CHANGED": _("Something changed since this quote was made; nothing was canceled."),
                "ROUTE_NOT_AVAILABLE": _("This is not possible for this subscription any more. See its options."),
                "UNDO_CLOSED": _("The time to undo this cancellation is over."),
                "IDEMPOTENCY_KEY_REUSED": _("This idempotency key was already used for something else. Use a new one."),
                "PHONE_INVALID": _(
                    "This is not a phone number. Write it with its country code, like +359 88 812 3456."
                ),
                "PHONE_REGION_UNSUPPORTED": _("We cannot call numbers in this country."),
                "PHONE_KIND_UNSUPPORTED": _("We cannot call premium-rate or shared-cost numbers."),
                "TIME_ZONE_INVALID": _("There is no such time zone. Use a name like Europe/Sofia."),
                "WINDOW_NOT_AVAILABLE": _("This time is no longer free. Choose another one."),
                "DO_NOT_CALL": _("This number asked not to be called. You can cancel online, or give another number."),
                "CALLBACK_OPEN": _("%(reference)s is open for this subscription already.")
                % {"reference": error.data.get("reference", "")},
                "CLAIMED_ELSEWHERE": _("Another agent is calling this customer. Only they can cancel meanwhile."),
                "CHANGED_MEANWHILE": _("Somebody changed this since you opened it. Nothing was done."),
                "RATE_LIMITED": _("Too many requests. Try again later."),
                "SIGN_IN_FAILED": _("The name, the password or the code is wrong."),
                "SECOND_FACTOR_REQUIRED": _("Enter the code of your authenticator app, or a recovery code."),
                "ALREADY_SIGNED_IN": _("Somebody is signed in here. Sign out first."),
                "SESSION_ENDED": _("This session has ended. Sign in again."),
                "RESET_KEY_INVALID": _("This link was used or is too old. Ask for a new one."),
            }[code]


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


def event_name(action: str) -> str:
    """What happened to a callback request, for its history; the action itself where there are no words for it."""
    return {
        "callback.requested": _("asked for a call"),
        "callback.updated": _("asked again, with other details"),
        "callback.rescheduled": _("moved the call"),
        "callback.withdrawn": _("withdrew the request"),
        "callback.claimed": _("claimed it"),
        "callback.released": _("released it"),
        "callback.reassigned": _("handed it over"),
        "callback.closed": _("closed it"),
        "callback.closed_without_call": _("closed it without a call"),
        "callback.reopened": _("reopened it"),
        "callback.canceled": _("canceled the subscription"),
        "callback.erased": _("erased the contact data"),
        "callback.no_answer": _("called: no answer"),
        "callback.busy": _("called: busy"),
        "callback.voicemail": _("called: left a voicemail"),
        "callback.wrong_number": _("called: wrong number"),
        "callback.call_later": _("called: to call later"),
        "callback.language_needed": _("called: another language is needed"),
        "callback.asked_not_to_call": _("called: asked not to be called"),
    }.get(action, action)
