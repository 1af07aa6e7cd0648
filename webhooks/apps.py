"""Events: endpoints, deliveries, signatures."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebhooksConfig(AppConfig):
    name = "webhooks"
    verbose_name = _("Webhooks")

    def ready(self) -> None:
        """Register who delivers, and the periodic work."""
        import webhooks.feed  # noqa: PLC0415 (apps load before models)
        import webhooks.mail  # noqa: F401, PLC0415
