"""Products, subscriptions and licenses: to look at, and to correct by hand."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.admin import AuditedAdmin, FoldedSearch, ReadOnlyAdmin
from subscriptions.models import License, Plan, Subscription
from subscriptions.models.plans import SubscriptionQuerySet
from subscriptions.policy.facts import Status


@admin.register(Plan)
class PlanAdmin(AuditedAdmin, FoldedSearch):
    list_display = ("part_number", "name")
    search_fields = ("search_key",)


class StatusFilter(admin.SimpleListFilter):
    """The status of now, as the list shows it, and not the one that was last written."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("in_service", _("in service")), *Subscription.STATUS_CHOICES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Subscription]) -> QuerySet[Subscription]:
        rows, now, asked = cast(SubscriptionQuerySet, queryset), timezone.now(), self.value()
        if asked == "in_service":
            return rows.in_service(now)
        return rows.in_status([Status(asked)], now) if asked in list(Status) else rows


@admin.register(Subscription)
class SubscriptionAdmin(AuditedAdmin, FoldedSearch):
    list_display = ("plan", "tenant", "external_id", "status", "assigned", "purchased_licenses", "period_end")
    list_filter = (StatusFilter, "is_trial", "channel", "canceled_mode")
    list_select_related = ("plan", "tenant")
    search_fields = ("plan__search_key", "tenant__search_key", "external_id", "agreement__external_id__iexact")
    ordering = ("-pk",)
    readonly_fields = ("tenant", "plan", "agreement", "status", "assigned", "canceled_mode", "ends_at")
    change_form_template = "admin/subscriptions/subscription/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        """With the status of now and the license count, in the one query of the page."""
        return Subscription.objects.with_status(timezone.now()).annotate(held=Coalesce("tally__assigned", 0))

    @admin.display(description=_("status"))
    def status(self, row: Subscription) -> str:
        return str(dict(Subscription.STATUS_CHOICES)[row.status_now])  # type: ignore[attr-defined]

    @admin.display(description=_("assigned licenses"))
    def assigned(self, row: Subscription) -> int:
        """Distinct holders."""
        count: int = row.held  # type: ignore[attr-defined]
        return count

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Subscriptions come from imports."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Subscription | None = None) -> bool:
        """A canceled subscription is kept."""
        return False


@admin.register(License)
class LicenseAdmin(FoldedSearch, ReadOnlyAdmin):
    list_display = ("user", "subscription", "is_direct", "is_inherited", "assigned_at", "removed_at")
    list_filter = ("is_direct", "is_inherited")
    list_select_related = ("user", "subscription__plan", "subscription__tenant")
    search_fields = ("user__search_key",)
    show_full_result_count = False
