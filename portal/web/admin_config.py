"""The admin of this house."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class StaffAdminConfig(AdminConfig):
    """Django's admin, with our site: it asks staff for a second factor."""

    default_site = "portal.web.staff.StaffSite"
