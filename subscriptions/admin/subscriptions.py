"""Products, subscriptions and licenses: to look at, and to correct by hand."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from common.admin import AuditedAdmin, FoldedSearch, ReadOnlyAdmin
from common.formatting import active_language
from common.forms import ExternalIdForm
from subscriptions.directory.sharing import split_holders
from subscriptions.models import License, Plan, Subscription
from subscriptions.models.plans import SubscriptionQuerySet
from subscriptions.policy.facts import Status
from tenants.staff import staff

SPLIT = "subscriptions.split_holders"


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
    form = ExternalIdForm
    list_filter = (StatusFilter, "is_trial", "channel", "canceled_mode")
    list_select_related = ("plan", "tenant")
    search_fields = (
        "plan__search_key",
        "tenant__search_key",
        "external_id",
        "tenant__external_id__iexact",
        "agreement__external_id__iexact",
    )
    ordering = ("-pk",)
    readonly_fields = (
        "tenant",
        "plan",
        "agreement",
        "status",
        "assigned",
        "canceled_mode",
        "ends_at",
        "shares_licenses",
        "source",
        "known_at",
    )
    change_form_template = "admin/subscriptions/subscription/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        """With the status of now and the license count, in the one query of the page."""
        return Subscription.objects.with_status(timezone.now()).annotate(held=Coalesce("tally__assigned", 0))

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> tuple[str, ...]:
        """The id is the host's where the row is one of its facts."""
        named = ("external_id",) if obj and obj.external_id and obj.source_id else ()
        return (*self.readonly_fields, *named)

    @admin.display(description=_("status"))
    def status(self, row: Subscription) -> str:
        return str(dict(Subscription.STATUS_CHOICES)[row.status_now])  # type: ignore[attr-defined]

    @admin.display(description=_("assigned licenses"))
    def assigned(self, row: Subscription) -> int:
        """Distinct holders."""
        count: int = row.held  # type: ignore[attr-defined]
        return count

    def get_urls(self) -> list[URLPattern]:
        split = self.admin_site.admin_view(require_POST(self.split))
        return [path("<key:pk>/split/", split, name="subscriptions_subscription_split"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With a button where it shares its holders."""
        row: Subscription | None = self.get_object(request, object_id)
        can_split = bool(row and row.shares_licenses and request.user.has_perm(SPLIT))
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "can_split": can_split})

    def split(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let each holder of several subscriptions of the product hold one of them."""
        _user, caller = staff(request, SPLIT)
        row = get_object_or_404(Subscription, pk=pk)
        if row.shares_licenses:
            split_holders(subscription=row, caller=caller, language=active_language(), now=timezone.now())
            messages.success(request, _("Each holder now holds one of them."))
        else:
            messages.warning(request, _("It shares its holders with no other."))
        return redirect("admin:subscriptions_subscription_change", pk)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Subscriptions come from imports."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Subscription | None = None) -> bool:
        """A canceled subscription is kept."""
        return False


class ContradictedFilter(admin.SimpleListFilter):
    """Removed here, and assigned again by whoever holds licenses."""

    title = _("assigned again after its removal here")
    parameter_name = "contradicted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Yes"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[License]) -> QuerySet[License]:
        return queryset.filter(contradicted_at__isnull=False, is_direct=True) if self.value() == "yes" else queryset


@admin.register(License)
class LicenseAdmin(FoldedSearch, ReadOnlyAdmin):
    list_display = ("user", "subscription", "is_direct", "is_inherited", "assigned_at", "removed_at", "contradicted_at")
    list_filter = (ContradictedFilter, "is_direct", "is_inherited")
    list_select_related = ("user", "subscription__plan", "subscription__tenant")
    search_fields = ("user__search_key",)
    show_full_result_count = False
