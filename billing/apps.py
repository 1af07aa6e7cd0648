"""Money: payment methods, charges, proration, refunds, renewal."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        """Register what the worker does in this app, and start nothing without who pays."""
        import billing.checks  # noqa: PLC0415 (apps load before models)
        import billing.elsewhere  # noqa: PLC0415
        import billing.periodic  # noqa: PLC0415
        import billing.refunds.repricing  # noqa: PLC0415
        import billing.refunds.sending  # noqa: PLC0415
        import billing.renewal  # noqa: F401, PLC0415
        from billing.providers import require_default  # noqa: PLC0415

        require_default()
