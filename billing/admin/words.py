"""What staff are told when money or a provider's id is refused."""

from __future__ import annotations

from django.utils.translation import gettext as _

from billing.errors import BillingError, ProviderIdInvalid
from billing.providers import subscription_id_example


def refund_error(error: BillingError) -> str:
    """One sentence for each code and reason."""
    if error.code == "REFUND_EXCEEDS_SETTLED":
        return _("That is more than is left of what was paid on this charge.")
    if error.code == "MONEY_INVALID":
        return _("Write the amount with a point, for example 12.50.")
    return {
        "reason": _("Say why: the reason is kept with the refund."),
        "amount": _("The amount has to be above zero."),
        "changed": _("A part of this charge was given back meanwhile. Look at what is left, and decide again."),
        "sent": _("The provider may be paying this right now. Wait for its answer."),
    }[str(error)]


def provider_id_error(error: ProviderIdInvalid, provider: str) -> str:
    """One sentence for each reason. ``provider``: whose id it should have been."""
    return {
        "provider": _("That provider bills nothing here."),
        "shape": _(
            "That is not how this provider calls a subscription: copy its id from there, for example %(example)s"
        )
        % {"example": subscription_id_example(provider)},
        "taken": _("That is the id of another subscription."),
    }[str(error)]
