"""The subscriptions room."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db import connections
from django.db.models.signals import post_migrate
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SubscriptionsConfig(AppConfig):
    """What a tenant has and how it ends."""

    name = "subscriptions"
    verbose_name = _("Subscriptions")

    def ready(self) -> None:
        """Hook the rows that must exist to the end of migrate; register what the worker does in this room."""
        import subscriptions.callback_mail  # noqa: PLC0415
        import subscriptions.cancellations.mail  # noqa: PLC0415 (apps load before models)
        import subscriptions.cancellations.repriced  # noqa: PLC0415
        import subscriptions.periodic  # noqa: PLC0415
        import subscriptions.services.cancellations  # noqa: F401, PLC0415

        post_migrate.connect(_keep_triggers, sender=self, dispatch_uid="subscriptions.keep_triggers")
        post_migrate.connect(_ensure_defaults, sender=self, dispatch_uid="subscriptions.ensure_defaults")
        # The permissions of every room exist once auth has been migrated.
        auth = apps.get_app_config("auth")
        post_migrate.connect(_ensure_groups, sender=auth, dispatch_uid="subscriptions.ensure_groups")


_AGENT = (
    "work_callbacks", "cancel_for_customer", "view_callbackrequest", "view_callbackattempt", "view_subscription",
    "view_cancellation", "view_tenant",
)  # fmt: skip
GROUPS = {
    "Callback agents": _AGENT,
    "Callback supervisors": (
        *_AGENT,
        "override_quote",
        "reassign_callbacks",
        "view_reports",
        "erase_contact",
        "view_callbackdesk",
        "change_callbackdesk",
        "view_auditevent",
    ),
    "Billing viewers": ("view_billingaccount", "view_charge", "view_refund", "view_refundpart", "view_cancellation"),
}


def _ensure_groups(using: str, **_kwargs: Any) -> None:
    """The groups that a new house starts with. One that is there is left as staff have made it."""
    from django.contrib.auth.models import Group, Permission  # noqa: PLC0415 (apps load before models)

    for name, permissions in GROUPS.items():
        group, made = Group.objects.using(using).get_or_create(name=name)
        if made:
            group.permissions.set(Permission.objects.using(using).filter(codename__in=permissions))


def _keep_triggers(using: str, **_kwargs: Any) -> None:
    """And indexes, unless the tables are not there: somebody migrates back."""
    from subscriptions.directory.indexes import keep_indexes  # noqa: PLC0415 (apps load before models)
    from subscriptions.directory.tallies import keep_tallies  # noqa: PLC0415 (apps load before models)

    connection = connections[using]
    if "subscriptions_licensetally" in connection.introspection.table_names():
        keep_tallies(connection)
        keep_indexes(connection)


def _ensure_defaults(using: str, **_kwargs: Any) -> None:
    """A default policy, version 1 as the help page says it, and the callback desk."""
    from subscriptions.models import CallbackDesk, CancellationPolicy  # noqa: PLC0415 (apps load before models)

    CallbackDesk.objects.using(using).get_or_create(pk=1)
    policies = CancellationPolicy.objects.using(using)
    if not policies.filter(tenant=None).exists():
        policies.create(name="Default", version=1, created_at=timezone.now())
