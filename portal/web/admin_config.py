"""The admin of this installation."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.apps import AdminConfig

# The tables of the sign-in are kept by its own flows; staff who edit them by hand break it.
_NOT_FOR_STAFF = ("account", "mfa", "socialaccount")


class StaffAdminConfig(AdminConfig):
    """Django's admin, with our site: it asks staff for a second factor."""

    default_site = "portal.accounts.staff.StaffSite"

    def ready(self) -> None:
        """Find the apps' admins, and leave out what is no work for staff."""
        super().ready()
        for label in _NOT_FOR_STAFF:
            for model in apps.get_app_config(label).get_models():
                if admin.site.is_registered(model):
                    admin.site.unregister(model)
