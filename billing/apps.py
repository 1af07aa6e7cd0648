"""The billing room."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    """Money: charges, proration, refunds."""

    name = "billing"
    verbose_name = _("Billing")
