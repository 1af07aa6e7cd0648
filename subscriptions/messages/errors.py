"""What went wrong, and what to do next."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from subscriptions.errors import SubscriptionError


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


_SENTENCES = {
    "NOT_AUTHENTICATED": gettext_lazy("Sign in, or send a valid token."),
    "NOT_PERMITTED": gettext_lazy("You are not allowed to do this."),
    "NOT_FOUND": gettext_lazy("There is nothing with this id."),
    "QUOTE_INVALID": gettext_lazy("This is not a quote for this subscription. Ask for a new one."),
    "QUOTE_EXPIRED": gettext_lazy("This quote has expired; nothing was canceled. Here is a new one."),
    "QUOTE_CHANGED": gettext_lazy("Something changed since this quote was made; nothing was canceled."),
    "ROUTE_NOT_AVAILABLE": gettext_lazy("This is not possible for this subscription any more. See its options."),
    "UNDO_CLOSED": gettext_lazy("The time to undo this cancellation is over."),
    "IDEMPOTENCY_KEY_REUSED": gettext_lazy("This idempotency key was already used for something else. Use a new one."),
    "PHONE_INVALID": gettext_lazy("This is not a phone number. Write it with its country code, like +359 88 812 3456."),
    "PHONE_REGION_UNSUPPORTED": gettext_lazy("We cannot call numbers in this country."),
    "PHONE_KIND_UNSUPPORTED": gettext_lazy("We cannot call premium-rate or shared-cost numbers."),
    "TIME_ZONE_INVALID": gettext_lazy("There is no such time zone. Use a name like Europe/Sofia."),
    "WINDOW_NOT_AVAILABLE": gettext_lazy("This time is no longer free. Choose another one."),
    "DO_NOT_CALL": gettext_lazy("This number asked not to be called. You can cancel online, or give another number."),
    "CLAIMED_ELSEWHERE": gettext_lazy("Another agent is calling this customer. Only they can cancel meanwhile."),
    "CHANGED_MEANWHILE": gettext_lazy("Somebody changed this since you opened it. Nothing was done."),
    "RATE_LIMITED": gettext_lazy("Too many requests. Try again later."),
    "SIGN_IN_FAILED": gettext_lazy("The name, the password or the code is wrong."),
    "SECOND_FACTOR_REQUIRED": gettext_lazy("Enter the code of your authenticator app, or a recovery code."),
    "ALREADY_SIGNED_IN": gettext_lazy("Somebody is signed in here. Sign out first."),
    "SESSION_ENDED": gettext_lazy("This session has ended. Sign in again."),
    "RESET_KEY_INVALID": gettext_lazy("This link was used or is too old. Ask for a new one."),
}


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
        case "CALLBACK_OPEN":
            return _("%(reference)s is open for this subscription already.") % {
                "reference": error.data.get("reference", "")
            }
        case code:
            return str(_SENTENCES[code])
