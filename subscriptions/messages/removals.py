"""What became of a user whose license was to be removed."""

from __future__ import annotations

from django.utils.translation import gettext as _

from subscriptions.carriers.base import RefusalReason
from subscriptions.directory.licenses import RemovalOutcome, UserRemoval
from subscriptions.messages.routes import listed
from subscriptions.models import Removal


def removal_message(removal: UserRemoval) -> str:
    sentences = {
        RemovalOutcome.REMOVED: _("The license was removed."),
        RemovalOutcome.NOT_ASSIGNED: _("This user holds no license of this subscription."),
        RemovalOutcome.NOT_FOUND: _("There is no such user."),
        RemovalOutcome.DUPLICATE: _("This user is in the list more than once."),
        RemovalOutcome.GROUP_INHERITED: _("The license comes from a group (%(groups)s): remove the user from it."),
        RemovalOutcome.STILL_ASSIGNED_BY_GROUP: _(
            "The direct license was removed, but a group (%(groups)s) still hands one out: remove the user from it."
        ),
        RemovalOutcome.REQUESTED: _requested(removal),
        RemovalOutcome.REFUSED: _(RefusalReason.OTHER.sentence),
    }
    return sentences[removal.outcome] % {"groups": listed(removal.group_names)}


def would_be_message(removal: UserRemoval) -> str:
    """What would become of one user, in a dry run."""
    if removal.outcome is RemovalOutcome.REMOVED:
        return _("The license would be removed.")
    if removal.outcome is RemovalOutcome.REQUESTED:
        return _("Your directory would be asked to remove the license; it would count until that is confirmed.")
    if removal.outcome is RemovalOutcome.STILL_ASSIGNED_BY_GROUP:
        return _("The direct license would be removed, but a group (%(groups)s) would still hand one out.") % {
            "groups": listed(removal.group_names)
        }
    return removal_message(removal)


def _requested(removal: UserRemoval) -> str:
    if removal.group_names:
        return _(
            "Your directory is asked to remove the direct license, but a group (%(groups)s) still hands one out: remove"
            " the user from it."
        )
    return _("Your directory is asked to remove the license; it counts until that is confirmed.")


def refusal_message(removal: Removal, *, with_text: bool) -> str:
    """Why the directory refused; ``with_text``: in its own words too, which are for staff and the tenant's admins."""
    sentence = _(RefusalReason(removal.reason).sentence)
    return f"{sentence} {removal.text}" if with_text and removal.text else sentence
