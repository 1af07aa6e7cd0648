"""Subscriptions with their licenses, and canceling one for a customer."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.admin import AuditedAdmin, FoldedSearch, ReadOnlyAdmin, button
from common.formatting import active_language, format_datetime
from subscriptions import wording
from subscriptions.admin.for_customer import OnBehalfForm
from subscriptions.errors import SubscriptionError
from subscriptions.models import License, Plan, Subscription
from subscriptions.selectors.batches import SubscriptionBatch
from subscriptions.selectors.callbacks import open_call
from subscriptions.services.cancellations import batch_on_behalf, cancel_on_behalf
from tenants.staff import staff

CANCEL = "subscriptions.cancel_for_customer"
OVERRIDE = "subscriptions.override_quote"


@admin.register(Plan)
class PlanAdmin(AuditedAdmin, FoldedSearch):
    list_display = ("part_number", "name")
    search_fields = ("search_key",)


@admin.register(Subscription)
class SubscriptionAdmin(AuditedAdmin, FoldedSearch):
    list_display = ("plan", "tenant", "external_id", "status", "assigned", "purchased_licenses", "period_end")
    list_filter = ("base_status", "is_trial", "channel", "canceled_mode")
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
        batch = batch_on_behalf(caller, pk, now)
        if batch is None:
            raise Http404
        forms = self._forms(request, batch)
        if request.method == "POST":
            form = next((form for form in forms if form.is_posted), None)
            if form is None:
                return self._not_on_offer(request, batch)
            if form.is_valid():
                try:
                    canceled = cancel_on_behalf(
                        caller=caller,
                        subscription_id=pk,
                        quote_id=request.POST.get("quote", ""),
                        idempotency_key=request.POST.get("key", ""),
                        language=active_language(),
                        now=now,
                        reason=form.cleaned_data["reason"],
                        amount=form.cleaned_data.get("amount"),
                    )
                except SubscriptionError as error:
                    messages.error(request, wording.error_message(error))
                    return redirect(request.path)
                done = _("Canceled: %(reference)s.") % {"reference": canceled.cancellation.reference}
                messages.success(request, done)
                return redirect("admin:subscriptions_cancellation_change", canceled.cancellation.pk)
        return TemplateResponse(
            request, "admin/subscriptions/subscription/cancel.html", self._page(request, batch, forms)
        )

    @staticmethod
    def _not_on_offer(request: HttpRequest, batch: SubscriptionBatch) -> HttpResponse:
        """Pressed twice, or somebody else was faster: show what is in force."""
        in_force = next((c for c in batch.cancellations.values() if c.undone_at is None), None)
        if in_force is None:
            messages.error(request, _("This cannot be canceled that way now."))
            return redirect(request.path)
        messages.warning(request, _("Canceled: %(reference)s.") % {"reference": in_force.reference})
        return redirect("admin:subscriptions_cancellation_change", in_force.pk)

    @staticmethod
    def _forms(request: HttpRequest, batch: SubscriptionBatch) -> list[OnBehalfForm]:
        [row] = batch.rows
        quotes = batch.decisions[row.pk].quotes
        data = request.POST if request.method == "POST" else None
        may_override = request.user.has_perm(OVERRIDE)
        return [OnBehalfForm(data, quote=quote, batch=batch, may_override=may_override) for quote in quotes]

    def _page(self, request: HttpRequest, batch: SubscriptionBatch, forms: list[OnBehalfForm]) -> dict[str, Any]:
        [row] = batch.rows
        snapshot, decision, call = batch.snapshots[row.pk], batch.decisions[row.pk], open_call(row.pk)
        return {
            **self.admin_site.each_context(request),
            "title": _("Cancel for the customer"),
            "subtitle": str(row),
            "opts": self.opts,
            "original": row,
            "forms": forms,
            "headline": wording.headline(snapshot, decision),
            "call": call,
            "credit_from": format_datetime(call.credit_from, snapshot.zone) if call else "",
        }


@admin.register(License)
class LicenseAdmin(FoldedSearch, ReadOnlyAdmin):
    list_display = ("user", "subscription", "is_direct", "is_inherited", "assigned_at", "removed_at")
    list_filter = ("is_direct", "is_inherited")
    list_select_related = ("user", "subscription__plan", "subscription__tenant")
    search_fields = ("user__search_key",)
    show_full_result_count = False
