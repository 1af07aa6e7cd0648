"""The app of subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.migrations import Migration
from django.db.models.signals import post_migrate, pre_migrate
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.history import is_migrated


class SubscriptionsConfig(AppConfig):
    """What a tenant has and how it ends."""

    name = "subscriptions"
    verbose_name = _("Subscriptions")

    def ready(self) -> None:
        """Hook the rows that must exist to the end of migrate; register what the worker does here."""
        import subscriptions.cancellations.mail  # noqa: PLC0415 (apps load before models)
        import subscriptions.cancellations.refunds  # noqa: PLC0415
        import subscriptions.checks  # noqa: PLC0415
        import subscriptions.elsewhere  # noqa: PLC0415
        import subscriptions.periodic  # noqa: F401, PLC0415

        pre_migrate.connect(_drop_triggers, sender=self, dispatch_uid="subscriptions.drop_triggers")
        post_migrate.connect(_keep_triggers, sender=self, dispatch_uid="subscriptions.keep_triggers")
        post_migrate.connect(_ensure_default_policy, sender=self, dispatch_uid="subscriptions.ensure_default_policy")


def _drop_triggers(using: str, plan: Sequence[tuple[Migration, bool]], **_kwargs: Any) -> None:
    """Of whoever migrates back, and of all on SQLite: it changes no table while a trigger names one that is gone."""
    from subscriptions.directory.tallies import drop_tallies  # noqa: PLC0415 (apps load before models)

    ours = any(migration.app_label == "subscriptions" for migration, _is_backwards in plan)
    if any(is_backwards for _migration, is_backwards in plan) or (ours and connections[using].vendor == "sqlite"):
        drop_tallies(connections[using])


def _keep_triggers(using: str, **_kwargs: Any) -> None:
    """And indexes, unless the tables are not there: somebody migrates back."""
    from subscriptions.directory.indexes import keep_indexes, leave_space  # noqa: PLC0415 (apps load before models)
    from subscriptions.directory.tallies import keep_tallies  # noqa: PLC0415 (apps load before models)
    from subscriptions.models import DirectoryUser, License, LicenseTally  # noqa: PLC0415 (apps load before models)

    if all(is_migrated(using, model) for model in (DirectoryUser, License, LicenseTally)):
        keep_tallies(connections[using])
        keep_indexes(connections[using])
        leave_space(connections[using])


def _ensure_default_policy(using: str, **_kwargs: Any) -> None:
    """Version 1, as the help page says it."""
    from subscriptions.models import CancellationPolicy  # noqa: PLC0415 (apps load before models)

    policies = CancellationPolicy.objects.using(using)
    if is_migrated(using, CancellationPolicy) and not policies.filter(tenant=None).exists():
        policies.create(name="Default", version=1, created_at=timezone.now())
