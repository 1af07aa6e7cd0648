"""The entry point."""

from __future__ import annotations

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        """Register what the worker does for this app, and what is said of the settings."""
        import portal.accounts.invitations  # noqa: PLC0415 (apps load before models)
        import portal.accounts.mail  # noqa: PLC0415
        import portal.accounts.security  # noqa: PLC0415
        import portal.checks  # noqa: PLC0415
        import portal.periodic  # noqa: F401, PLC0415
