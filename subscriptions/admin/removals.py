"""Removals of licenses that somebody else carries out: to look at. Who does is on the tenant's page."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from common.admin import FoldedSearch, ReadOnlyAdmin
from subscriptions.models import Removal, Subscription
from tenants.models import Tenant


@admin.register(Removal)
class RemovalAdmin(FoldedSearch, ReadOnlyAdmin):
    list_display = ("user", "subscription", "tenant", "status", "reason", "requested_at", "decided_at")
    list_filter = ("status", "reason")
    search_fields = ("license__user__search_key", "request__tenant__search_key")
    ordering = ("-pk",)
    show_full_result_count = False
    fields = (
        "user", "subscription", "tenant", "status", "reason", "text", "requested_by", "requested_at", "asked_at",
        "decided_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Removal]:
        rows: QuerySet[Removal] = super().get_queryset(request)
        return rows.select_related(
            "license__user",
            "request__tenant",
            "request__subscription__plan",
            "request__subscription__tenant",
            "request__requested_by_user",
            "request__requested_by_token",
        )

    @admin.display(description=_("user"), ordering="license__user")
    def user(self, removal: Removal) -> str:
        return str(removal.license.user)

    @admin.display(description=_("subscription"), ordering="request__subscription")
    def subscription(self, removal: Removal) -> Subscription:
        return removal.request.subscription

    @admin.display(description=_("tenant"), ordering="request__tenant")
    def tenant(self, removal: Removal) -> Tenant:
        return removal.request.tenant

    @admin.display(description=_("requested by"))
    def requested_by(self, removal: Removal) -> str:
        who = removal.request.requested_by_user or removal.request.requested_by_token
        return str(who or "")
