"""Refunds with what they are for: the cancellation and the subscription, which billing does not know."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from billing.admin.refunds import RefundAdmin
from billing.models import Refund
from common.public_ids import Kind, public_id

admin.site.unregister(Refund)


@admin.register(Refund)
class RefundOfCancellationAdmin(RefundAdmin):
    """The refund as its own app shows it, found by the reference that the customer has, too."""

    list_display = ["money", "tenant", "cancellation", "standing", "is_overdue", "due_by", "returned"]
    list_owed = ["money", "due_by", "is_overdue", "tenant", "cancellation", "contact"]
    search_fields = [*RefundAdmin.search_fields, "cancellations__reference"]
    fields = [*RefundAdmin.fields, "cancellation"]
    readonly_fields = [*RefundAdmin.readonly_fields, "cancellation"]
    csv_names = [*RefundAdmin.csv_names, "cancellation", "subscription", "product"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        return super().get_queryset(request).prefetch_related("cancellations__subscription__plan")

    @admin.display(description=_("cancellation"))
    def cancellation(self, refund: Refund) -> SafeString:
        """Its reference, which leads there; of a refund by hand nothing."""
        return format_html_join(
            ", ",
            '<a href="{}">{}</a>',
            (
                (reverse("admin:subscriptions_cancellation_change", args=[found.pk]), found.reference)
                for found in refund.cancellations.all()
            ),
        )

    def csv_row(self, refund: Refund) -> tuple[object, ...]:
        """With the reference and the subscription; a refund by hand has neither."""
        for found in refund.cancellations.all():
            subscription = found.subscription
            of = found.reference, public_id(Kind.SUBSCRIPTION, subscription.pk), subscription.plan.display_name
            return (*super().csv_row(refund), *of)
        return (*super().csv_row(refund), "", "", "")
