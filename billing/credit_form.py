"""What becomes of a refund, as its provider declares it, and the words that this may be said in. Pure."""

from __future__ import annotations

from common.codes import N_, CodeTable


class CreditForm(CodeTable):
    """Paid back by the provider, credited to the customer's account, or owed until somebody pays it by other means.

    ``waiting`` and ``over``: for staff, of a refund that the provider has, and of one that succeeded. ``promise`` and
    ``kept``: to the customer, of an amount. Nothing but money that has left was paid.
    """

    waiting: str
    over: str
    promise: str
    kept: str

    PAID_BACK = (
        "PAID_BACK",
        N_("submitted"),
        N_("paid back"),
        N_("You get back %(amount)s by %(date)s at the latest"),
        N_("%(amount)s was paid back to you"),
    )
    ACCOUNT_CREDIT = (
        "ACCOUNT_CREDIT",
        N_("submitted"),
        N_("credited to the account"),
        N_("%(amount)s is credited to your account by %(date)s at the latest"),
        N_("%(amount)s was credited to your account"),
    )
    OWED = (
        "OWED",
        N_("owed"),
        N_("paid"),
        N_("We will pay you %(amount)s by %(date)s at the latest"),
        N_("%(amount)s was paid to you"),
    )
