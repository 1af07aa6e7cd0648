"""The billing room."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    """Money: charges, proration, refunds."""

    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        """Register the providers, and what the worker does in this room."""
        import billing.periodic  # noqa: PLC0415 (apps load before models)
        import billing.refunds.repricing  # noqa: PLC0415
        import billing.refunds.sending  # noqa: PLC0415
        import billing.renewal  # noqa: F401, PLC0415
        from billing.providers import register  # noqa: PLC0415
        from billing.providers.ledger import Ledger  # noqa: PLC0415
        from billing.providers.stripe import Stripe  # noqa: PLC0415

        register("ledger", Ledger)
        register("stripe", Stripe, subscription_id="sub_[A-Za-z0-9]{8,90}")
