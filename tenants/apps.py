"""The tenants room."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from common.triggers import make_append_only


class TenantsConfig(AppConfig):
    """Keeps the audit trail append-only after every migrate."""

    name = "tenants"
    verbose_name = _("Tenants")

    def ready(self) -> None:
        """Hook the triggers to the end of migrate."""
        post_migrate.connect(_protect_audit, sender=self, dispatch_uid="tenants.protect_audit")


def _protect_audit(using: str, **_kwargs: Any) -> None:
    connection = connections[using]
    if "tenants_auditevent" in connection.introspection.table_names():
        make_append_only(connection, "tenants_auditevent")
