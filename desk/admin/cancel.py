"""Canceling for a customer: a page of the subscription that only the desk has, since credit counts from its call."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.admin import button
from common.errors import ExpectedError
from common.formatting import active_language, format_datetime
from common.messages import error_message
from desk.admin.on_behalf import OnBehalfForm
from desk.selectors import open_call
from desk.services.cancellations import batch_on_behalf, cancel_on_behalf
from subscriptions.admin.cancellations import CANCEL
from subscriptions.admin.subscriptions import SubscriptionAdmin
from subscriptions.messages.routes import headline
from subscriptions.models import Subscription
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.staff import staff

OVERRIDE = "subscriptions.override_quote"

admin.site.unregister(Subscription)


@admin.register(Subscription)
class SubscriptionAtTheDeskAdmin(SubscriptionAdmin):
    """The subscription as its own app shows it, and the way to cancel it for the customer."""

    change_form_template = "admin/desk/subscription.html"

    def get_urls(self) -> list[URLPattern]:
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
                except ExpectedError as error:
                    messages.error(request, error_message(error))
                    return redirect(request.path)
                done = _("Canceled: %(reference)s.") % {"reference": canceled.cancellation.reference}
                messages.success(request, done)
                return redirect("admin:subscriptions_cancellation_change", canceled.cancellation.pk)
        return TemplateResponse(request, "admin/desk/cancel.html", self._page(request, batch, forms))

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
            "headline": headline(snapshot, decision),
            "call": call,
            "credit_from": format_datetime(call.credit_from, snapshot.zone) if call else "",
        }
