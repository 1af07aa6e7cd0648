"""The app that all others stand on."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks
from django.db.backends.signals import connection_created
from django.urls import register_converter

from common.whole_numbers import RowKey


class CommonConfig(AppConfig):
    """Templates of the admin's base classes; no models."""

    name = "common"

    def ready(self) -> None:
        """Let whoever connects to an older database be refused, and addresses have numbers of rows."""
        import common.lookups  # noqa: F401, PLC0415 (registers one)
        from common.history import check_history, refuse_older  # noqa: PLC0415 (loaded with the other apps)

        register_converter(RowKey, "key")
        connection_created.connect(refuse_older, dispatch_uid="common.refuse_older")
        checks.register(check_history, checks.Tags.database)
