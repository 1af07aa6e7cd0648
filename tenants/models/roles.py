"""What roles are called."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from tenants.callers import Role

ROLE_CHOICES = [
    (Role.GLOBAL_ADMIN.value, _("global admin")),
    (Role.BILLING_ADMIN.value, _("billing admin")),
    (Role.VIEWER.value, _("viewer")),
]
