"""Work that happens after the commit."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OutboxConfig(AppConfig):
    """Tasks that happen after the commit."""

    name = "outbox"
    verbose_name = _("Outbox")

    def ready(self) -> None:
        import outbox.mail  # noqa: PLC0415 (apps load before models)
        import outbox.periodic  # noqa: F401, PLC0415
