"""The sentences about endpoints, in the active language: for the API and the admin."""

from __future__ import annotations

from django.utils.translation import gettext as _

from webhooks.errors import Refusal


def refusal_sentence(refusal: Refusal) -> str:
    """Why events are not sent to an address."""
    return {
        Refusal.MALFORMED: _("This is no address: https, a host, no user name and no fragment."),
        Refusal.NOT_HTTPS: _("Events are sent by https alone."),
        Refusal.PRIVATE: _("Events are not sent to private addresses. Give a host on the open internet."),
    }[refusal]


def too_many_sentence(most: int) -> str:
    """Why there cannot be one more."""
    return _("There are %(count)d webhooks already. Remove one first.") % {"count": most}
