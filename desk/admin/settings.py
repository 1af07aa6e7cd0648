"""The desk's settings: edited here, with who changed what."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from common.admin import AuditedAdmin
from desk.models import CallbackDesk


@admin.register(CallbackDesk)
class CallbackDeskAdmin(AuditedAdmin):
    list_display = ("time_zone", "country", "opens_at", "closes_at", "window_capacity")
    fieldsets = (
        (None, {"fields": ("time_zone", "opens_at", "closes_at", "country", "days_off")}),
        (None, {"fields": ("answer_within_hours", "window_minutes", "window_capacity", "regions")}),
        (None, {"fields": ("keep_contact_days",)}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one desk."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: CallbackDesk | None = None) -> bool:
        """There is one desk."""
        return False
