"""What staff are told when a refund is refused."""

from __future__ import annotations

from django.utils.translation import gettext as _

from billing.errors import BillingError


def refund_error(error: BillingError) -> str:
    """One sentence for each code and reason."""
    if error.code == "REFUND_EXCEEDS_SETTLED":
        return _("That is more than is left of what was paid on this charge.")
    if error.code == "MONEY_INVALID":
        return _("Write the amount with a point, for example 12.50.")
    return {
        "reason": _("Say why: the reason is kept with the refund."),
        "amount": _("The amount has to be above zero."),
        "sent": _("The provider may be paying this right now. Wait for its answer."),
    }[str(error)]
