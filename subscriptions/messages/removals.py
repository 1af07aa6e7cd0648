"""What became of a user whose license was to be removed."""

from __future__ import annotations

from django.utils.translation import gettext as _

from subscriptions.directory.licenses import Removal, RemovalOutcome
from subscriptions.messages.routes import listed


def removal_message(removal: Removal) -> str:
    sentences = {
        RemovalOutcome.REMOVED: _("The license was removed."),
        RemovalOutcome.NOT_ASSIGNED: _("This user holds no license of this subscription."),
        RemovalOutcome.NOT_FOUND: _("There is no such user."),
        RemovalOutcome.DUPLICATE: _("This user is in the list more than once."),
        RemovalOutcome.GROUP_INHERITED: _("The license comes from a group (%(groups)s): remove the user from it."),
        RemovalOutcome.STILL_ASSIGNED_BY_GROUP: _(
            "The direct license was removed, but a group (%(groups)s) still hands one out: remove the user from it."
        ),
    }
    return sentences[removal.outcome] % {"groups": listed(removal.group_names)}


def would_be_message(removal: Removal) -> str:
    """What would become of one user, in a dry run."""
    if removal.outcome is RemovalOutcome.REMOVED:
        return _("The license would be removed.")
    if removal.outcome is RemovalOutcome.STILL_ASSIGNED_BY_GROUP:
        return _("The direct license would be removed, but a group (%(groups)s) would still hand one out.") % {
            "groups": listed(removal.group_names)
        }
    return removal_message(removal)
