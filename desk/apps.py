"""The app of the callback desk."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from common.history import is_migrated


class DeskConfig(AppConfig):
    name = "desk"
    verbose_name = _("Callback desk")

    def ready(self) -> None:
        """Listen to cancellations; register what the worker does here; hook the rows that must exist to migrate."""
        import desk.mail  # noqa: PLC0415 (apps load before models)
        import desk.periodic  # noqa: PLC0415
        import desk.services.cancellations  # noqa: F401, PLC0415

        post_migrate.connect(_ensure_desk, sender=self, dispatch_uid="desk.ensure_desk")
        # The permissions of every app exist once auth has been migrated.
        auth = apps.get_app_config("auth")
        post_migrate.connect(_ensure_groups, sender=auth, dispatch_uid="desk.ensure_groups")


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
    "Billing viewers": (
        "view_billingaccount",
        "view_charge",
        "view_refund",
        "view_refundpart",
        "view_cancellation",
        "view_reconciliation",
    ),
}


def _ensure_groups(using: str, **_kwargs: Any) -> None:
    """The groups that a new installation starts with. One that is there is left as staff have made it."""
    from django.contrib.auth.models import Group, Permission  # noqa: PLC0415 (apps load before models)

    for name, permissions in GROUPS.items():
        group, made = Group.objects.using(using).get_or_create(name=name)
        if made:
            group.permissions.set(Permission.objects.using(using).filter(codename__in=permissions))


def _ensure_desk(using: str, **_kwargs: Any) -> None:
    """The one row of its settings."""
    from desk.models import CallbackDesk  # noqa: PLC0415 (apps load before models)

    if is_migrated(using, CallbackDesk):
        CallbackDesk.objects.using(using).get_or_create(pk=1)
