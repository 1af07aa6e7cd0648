"""Cancellations with their evidence: to look at, and to undo."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from billing.formatting import format_money
from billing.messages import refund_standing
from billing.proration import NoRefundReason
from common.admin import FoldedSearch, ReadOnlyAdmin, button, pretty
from common.errors import ExpectedError
from common.formatting import active_language, format_day
from common.messages import error_message
from common.whole_numbers import whole_number
from subscriptions.cancellations.service import undo_cancellation
from subscriptions.messages.quotes import kept_no_refund_sentence
from subscriptions.models import Cancellation
from tenants.staff import staff

CANCEL = "subscriptions.cancel_for_customer"


class ByStaff(admin.BooleanFieldListFilter):
    """Named so that it can be read after Django's own "By"."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = _("staff")


@admin.register(Cancellation)
class CancellationAdmin(FoldedSearch, ReadOnlyAdmin):
    list_display = ("reference", "tenant", "subscription", "mode", "requested_at", "effective_at", "undone_at")
    list_filter = ("mode", ("by_staff", ByStaff), "feedback")
    list_select_related = ("tenant", "subscription__plan", "subscription__tenant")
    search_fields = ("=reference", "tenant__search_key")
    ordering = ("-pk",)
    exclude = ("quote", "facts", "refunds")
    readonly_fields = ("refund_list", "why_nothing", "quote_as_shown", "facts_as_seen")
    change_form_template = "admin/subscriptions/cancellation/change_form.html"

    @admin.display(description=_("refunds"))
    def refund_list(self, cancellation: Cancellation) -> str:
        """Amount, how far it is, and due date of each."""
        rows = (
            (format_money(refund.money), refund_standing(refund), format_day(refund.due_by))
            for refund in cancellation.refunds.select_related("agreement")
        )
        return format_html_join("", "<div>{} · {} · {}</div>", rows)

    @admin.display(description=_("why nothing comes back"))
    def why_nothing(self, cancellation: Cancellation) -> str:
        """The sentence that the customer was told."""
        reason = cancellation.no_refund_reason
        return kept_no_refund_sentence(cancellation, NoRefundReason(reason)) if reason else ""

    @admin.display(description=_("quote as shown"))
    def quote_as_shown(self, cancellation: Cancellation) -> str:
        return pretty(cancellation.quote)

    @admin.display(description=_("facts"))
    def facts_as_seen(self, cancellation: Cancellation) -> str:
        return pretty(cancellation.facts)

    def get_urls(self) -> list[URLPattern]:
        return [button(self, "undo", require_POST(self.undo)), *super().get_urls()]

    def undo(self, request: HttpRequest, pk: int) -> HttpResponse:
        _user, caller = staff(request, CANCEL)
        try:
            undo_cancellation(caller=caller, cancellation_id=pk, language=active_language(), now=timezone.now())
            messages.success(request, _("The cancellation was undone."))
        except ExpectedError as error:
            messages.error(request, error_message(error))
        return redirect("admin:subscriptions_cancellation_change", pk)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Offer the undo while it is open."""
        row = Cancellation.objects.filter(pk=whole_number(object_id) or 0).first()
        can_undo = row is not None and row.undone_at is None and timezone.now() < row.undo_until
        context = {**(extra_context or {}), "can_undo": can_undo and request.user.has_perm(CANCEL)}
        return super().change_view(request, object_id, form_url, context)
