"""Subscriptions with their licenses, and canceling one for a customer."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from subscriptions import wording
from subscriptions.errors import SubscriptionError
from subscriptions.models import License, Plan, Subscription
from subscriptions.policy import Route, evaluate
from subscriptions.quotes import quote_id
from subscriptions.selectors import SubscriptionBatch
from subscriptions.services.cancellations import cancel_subscription
from tenants.admin_base import FoldedSearch, ReadOnlyAdmin
from tenants.formatting import active_language
from tenants.staff import button, staff

CANCEL = "subscriptions.cancel_for_customer"


@admin.register(Plan)
class PlanAdmin(FoldedSearch):
    list_display = ("part_number", "name")
    search_fields = ("search_key",)


@admin.register(Subscription)
class SubscriptionAdmin(FoldedSearch):
    list_display = ("plan", "tenant", "external_id", "status", "assigned", "purchased_licenses", "period_end")
    list_filter = ("base_status", "is_trial", "channel", "canceled_mode")
    list_select_related = ("plan", "tenant")
    search_fields = ("plan__search_key", "tenant__search_key", "external_id")
    ordering = ("-pk",)
    readonly_fields = ("tenant", "plan", "status", "assigned", "canceled_mode", "ends_at")
    change_form_template = "admin/subscriptions/subscription/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        """With the status of now and the license count, in the one query of the page."""
        held = Q(licenses__is_direct=True) | Q(licenses__is_inherited=True)
        rows = Subscription.objects.with_status(timezone.now())
        return rows.annotate(held=Count("licenses", filter=held & Q(licenses__user__deleted_at=None)))

    @admin.display(description=_("status"))
    def status(self, row: Subscription) -> str:
        """As it stands now."""
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

    def get_urls(self) -> list[URLPattern]:
        """Add the way to cancel."""
        return [button(self, "cancel", self.cancel), *super().get_urls()]

    def cancel(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the quotes; on POST, cancel what one of them said, whatever the license count."""
        _user, caller = staff(request, CANCEL)
        now = timezone.now()
        if request.method == "POST":
            try:
                canceled = cancel_subscription(
                    caller=caller,
                    subscription_id=pk,
                    quote_id=request.POST.get("quote", ""),
                    idempotency_key=request.POST.get("key", ""),
                    language=active_language(),
                    now=now,
                    limit_lifted=True,
                )
            except SubscriptionError as error:
                messages.error(request, wording.error_message(error))
                return redirect(request.path)
            messages.success(request, _("Canceled: %(reference)s.") % {"reference": canceled.cancellation.reference})
            return redirect("admin:subscriptions_cancellation_change", canceled.cancellation.pk)
        batch = SubscriptionBatch.of(caller, pk, now)
        if batch is None:
            raise Http404
        return TemplateResponse(request, "admin/subscriptions/subscription/cancel.html", self._quotes(request, batch))

    def _quotes(self, request: HttpRequest, batch: SubscriptionBatch) -> dict[str, Any]:
        [row] = batch.rows
        snapshot = batch.snapshots[row.pk]
        decision = evaluate(snapshot, batch.at, limit_lifted=True)
        quotes = [
            {
                **wording.quote_in_words(quote, snapshot),
                "id": quote_id(quote, tenant_id=row.tenant_id, subscription_id=row.pk),
                "key": f"staff-{uuid.uuid4().hex}",
                "users": quote.affected_users,
            }
            for quote in decision.option(Route.CANCEL_ONLINE).quotes
        ]
        return {
            **self.admin_site.each_context(request),
            "title": _("Cancel for the customer"),
            "subtitle": str(row),
            "opts": self.opts,
            "original": row,
            "quotes": quotes,
            "headline": wording.headline(snapshot, decision),
        }


@admin.register(License)
class LicenseAdmin(FoldedSearch, ReadOnlyAdmin):
    list_display = ("user", "subscription", "is_direct", "is_inherited", "assigned_at", "removed_at")
    list_filter = ("is_direct", "is_inherited")
    list_select_related = ("user", "subscription__plan", "subscription__tenant")
    search_fields = ("user__search_key",)
    show_full_result_count = False
