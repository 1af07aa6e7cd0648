"""Who is who and what was done."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from tenants.protection import protect


class TenantsConfig(AppConfig):
    """Keeps the audit trail append-only after every migrate."""

    name = "tenants"
    verbose_name = _("Tenants")

    def ready(self) -> None:
        """Hook the triggers to the end of migrate; put what the admin changes on the trail."""
        from common.admin import record_with  # noqa: PLC0415 (apps load before models)
        from tenants.staff import record_by_staff  # noqa: PLC0415

        record_with(record_by_staff)
        post_migrate.connect(_protect_audit, sender=self, dispatch_uid="tenants.protect_audit")


def _protect_audit(using: str, **_kwargs: Any) -> None:
    protect(connections[using])
