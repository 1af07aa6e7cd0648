"""Refunds for staff: what is late first, what is owed, try again, settle by hand, take it away as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.admin.amounts import as_money
from billing.admin.owed import PaidForm
from billing.errors import RefundNotPossible
from billing.formatting import format_money
from billing.messages import refund_sentences, refund_standing
from billing.models import (
    FINAL_REFUND_STATUSES,
    STUCK_REFUND_STATUSES,
    UNSETTLED_REFUND_STATUSES,
    Refund,
    RefundPart,
    RefundStatus,
)
from billing.money import Money
from billing.refunds.late import overdue
from billing.refunds.repricing import retry_refund
from billing.refunds.requests import settle_by_hand
from billing.refunds.results import CHECK
from billing.refunds.sending import SUBMIT
from billing.selectors import Week, credits_by_week, due_now, owed_refunds
from common.admin import FoldedSearch, ReadOnlyAdmin, button
from common.attention import Sign, shows_signs
from common.exports import csv_response
from common.formatting import format_date, format_day
from common.messages import error_message
from common.public_ids import Kind, public_id
from outbox.attention import task_lines
from tenants.staff import staff

SETTLE = "billing.settle_refund"
OWED = "owed"
# Rows that an export reads at once.
_CHUNK = 2_000


class RefundStateFilter(admin.SimpleListFilter):
    """What staff ask first: what is late, what failed, what is to be paid, what is on its way."""

    title = _("standing")
    parameter_name = "standing"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("overdue", _("overdue")),
            ("failed", _("failed")),
            (OWED, _("owed")),
            ("open", _("on its way")),
            ("over", _("over")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Refund]) -> QuerySet[Refund]:
        match self.value():
            case "overdue":
                return queryset.filter(overdue(timezone.now()))
            case "failed":
                return queryset.filter(status__in=STUCK_REFUND_STATUSES)
            case "owed":
                return queryset.filter(pk__in=owed_refunds())
            case "open":
                return queryset.filter(status__in=UNSETTLED_REFUND_STATUSES)
            case "over":
                return queryset.filter(status__in=FINAL_REFUND_STATUSES)
            case _:
                return queryset


class RefundPartInline(admin.TabularInline):  # type: ignore[type-arg]
    model = RefundPart
    extra = 0
    fields = (
        "id", "charge",
        as_money("amount", _("amount"), lambda part: part.charge.money(part.amount)),
        as_money("promised", _("promised"), lambda part: Money(part.promised, part.refund.currency)),
        as_money("tax", _("of that tax"), lambda part: part.charge.money(part.tax)),
        "status", "why", "reference", "retries",
    )  # fmt: skip
    readonly_fields = fields
    can_delete = False

    @admin.display(description=_("failure"))
    def why(self, part: RefundPart) -> str:
        """Translated where it is a sentence of ours and not the provider's word."""
        return gettext(part.failure) if part.failure else ""


@admin.register(Refund)
class RefundAdmin(FoldedSearch, ReadOnlyAdmin):
    """``list_owed``: the columns where what is to be paid is listed: how much, to whom, until when."""

    list_display = ["money", "tenant", "standing", "is_overdue", "due_by", "returned"]
    list_owed = ["money", "due_by", "is_overdue", "tenant", "contact"]
    list_filter = (RefundStateFilter, "status", "provider")
    list_select_related = ("agreement__account__tenant",)
    search_fields = [
        "agreement__account__tenant__search_key",
        "parts__charge__external_id",
        "parts__reference",
    ]
    date_hierarchy = "due_by"
    fields = [
        "agreement", "money", "standing", "said", "due_by", "returned_at", "held_until", "requested_at", "priced_at",
        "repriced_at", "found_late_at", "by_hand", "reason", "provider",
    ]  # fmt: skip
    readonly_fields = ["money", "standing", "said"]
    csv_names = [
        "refund", "tenant", "domain", "billing_contact", "billing_contact_email", "amount", "currency", "status",
        "due_by", "requested_at", "returned_at", "reason",
    ]  # fmt: skip
    inlines = (RefundPartInline,)
    change_list_template = "admin/billing/refund/change_list.html"
    change_form_template = "admin/billing/refund/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Refund]:
        """Failed ones first, then the overdue, then what is on its way, then the rest."""
        urgency = Case(
            When(status__in=STUCK_REFUND_STATUSES, then=Value(0)),
            When(overdue(timezone.now()), then=Value(1)),
            When(status__in=UNSETTLED_REFUND_STATUSES, then=Value(2)),
            default=Value(3),
            output_field=IntegerField(),
        )
        # Not super's: it would order by the urgency before there is one.
        return Refund.objects.annotate(urgency=urgency)

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("urgency", "due_by", "pk")

    @admin.display(description=_("amount"), ordering="amount")
    def money(self, refund: Refund) -> str:
        """How much, in the language of the page."""
        return format_money(refund.money)

    @admin.display(description=_("status"), ordering="status")
    def standing(self, refund: Refund) -> str:
        return refund_standing(refund)

    @admin.display(description=_("what the customer reads"))
    def said(self, refund: Refund) -> str:
        """On the receipt."""
        return format_html_join("", "<div>{}</div>", ((sentence,) for sentence in refund_sentences(refund)))

    @admin.display(description=_("returned"), ordering="returned_at")
    def returned(self, refund: Refund) -> str:
        """The customer's day of it."""
        zone = refund.agreement.account.tenant.zone
        return format_date(refund.returned_at, zone) if refund.returned_at else ""

    @admin.display(description=_("billing contact"))
    def contact(self, refund: Refund) -> str:
        """Whom to ask where to pay it."""
        tenant = refund.agreement.account.tenant
        return " · ".join(filter(None, [tenant.billing_contact_name, tenant.billing_contact_email]))

    @admin.display(description=_("tenant"))
    def tenant(self, refund: Refund) -> str:
        return str(refund.agreement.account.tenant)

    @admin.display(description=_("in time"), boolean=True)
    def is_overdue(self, refund: Refund) -> bool:
        """A cross for what failed or is late."""
        return refund.urgency > 1  # type: ignore[attr-defined,no-any-return]

    def get_urls(self) -> list[URLPattern]:
        export = path("export/", self.admin_site.admin_view(self.export), name="billing_refund_export")
        buttons = [button(self, name, getattr(self, name)) for name in ("retry", "paid", "settle")]
        return [export, *buttons, *super().get_urls()]

    def get_list_display(self, request: HttpRequest) -> Any:
        return self.list_owed if request.GET.get(RefundStateFilter.parameter_name) == OWED else self.list_display

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """With the charts of the last weeks, and the way to what is owed."""
        charts = [_chart(currency, weeks) for currency, weeks in credits_by_week(timezone.now()).items()]
        query = request.GET.urlencode()
        context = {"charts": charts, "query": query, "owed": owed_refunds().count()}
        return super().changelist_view(request, {**(extra_context or {}), **context})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With a line where its task does not get on, and the buttons that this refund and this person can use."""
        refund = self.get_object(request, object_id)
        able = request.user.has_perm(SETTLE) and refund is not None
        context = {
            **(extra_context or {}),
            "task_lines": list(task_lines(_task_names(refund))) if refund else [],
            "may_see_tasks": request.user.has_perm("outbox.view_task"),
            "can_retry": able and refund.status in STUCK_REFUND_STATUSES,  # type: ignore[union-attr]
            "can_mark": able and owed_refunds().filter(pk=refund.pk).exists(),  # type: ignore[union-attr]
            "less": _less(refund) if refund else "",
            "can_settle": able and refund.status in UNSETTLED_REFUND_STATUSES,  # type: ignore[union-attr]
        }
        return super().change_view(request, object_id, form_url, context)

    def retry(self, request: HttpRequest, pk: int) -> HttpResponse:
        _user, caller = staff(request, SETTLE)
        refund = get_object_or_404(Refund.objects.select_related("agreement__account"), pk=pk)
        if request.method == "POST":
            if retry_refund(refund=refund, caller=caller, now=timezone.now()):
                voided = refund.status == RefundStatus.VOIDED
                messages.success(request, _("Nothing of it is due any more.") if voided else _("It is sent again."))
            else:
                messages.warning(request, _("Nothing of it has failed, or somebody was faster."))
        return redirect("admin:billing_refund_change", pk)

    def settle(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Note that the money went back another way."""
        _user, caller = staff(request, SETTLE)
        refund = get_object_or_404(Refund.objects.select_related("agreement__account"), pk=pk)
        if request.method == "POST":
            try:
                reason = request.POST.get("reason", "")
                moved = settle_by_hand(refund=refund, reason=reason, caller=caller, now=timezone.now())
            except RefundNotPossible as error:
                messages.error(request, error_message(error))
            else:
                if moved:
                    messages.success(request, _("Noted as settled by hand."))
                else:
                    messages.warning(request, _("This refund is over already."))
        return redirect("admin:billing_refund_change", pk)

    def paid(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Say when it was paid, and under which reference."""
        _user, caller = staff(request, SETTLE)
        refund = get_object_or_404(Refund.objects.select_related("agreement__account__tenant"), pk=pk)
        form = PaidForm(request.POST if request.method == "POST" else None, refund=refund, now=timezone.now())
        if form.is_valid() and (marked := form.save(caller)) is not None:
            if marked:
                messages.success(request, _("Marked as paid."))
            else:
                messages.warning(request, _("It was marked as paid before, under the same reference."))
            return redirect("admin:billing_refund_change", pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Mark as paid"),
            "subtitle": str(refund.agreement.account),
            "opts": self.opts,
            "original": refund,
            "form": form,
            "amount": format_money(refund.money),
            "less": _less(refund),
            "due_by": format_day(refund.due_by),
            "contact": self.contact(refund),
        }
        return TemplateResponse(request, "admin/billing/refund/paid.html", context)

    def export(self, request: HttpRequest) -> HttpResponse:
        """What the list shows, as CSV; a cell is never a formula."""
        staff(request, "billing.view_refund")
        try:
            listed = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return redirect("admin:billing_refund_changelist")
        refunds = listed.get_queryset(request).iterator(chunk_size=_CHUNK)
        return csv_response("refunds.csv", self.csv_names, map(self.csv_row, refunds))

    def csv_row(self, refund: Refund) -> tuple[object, ...]:
        """As ``csv_names`` says. The id is that of the API; instants are the customer's, with their offset."""
        tenant = refund.agreement.account.tenant
        requested, returned = (
            at.astimezone(tenant.zone).isoformat(timespec="seconds") if at else ""
            for at in (refund.requested_at, refund.returned_at)
        )
        return (
            public_id(Kind.REFUND, refund.pk), tenant.name, tenant.domain, tenant.billing_contact_name,
            tenant.billing_contact_email, refund.money.amount, refund.currency, refund.status, refund.due_by,
            requested, returned, refund.reason,
        )  # fmt: skip


def _less(refund: Refund) -> str:
    """What is due by now, where that is less than was sent, or asked for."""
    due = due_now(refund)
    return format_money(due) if due != refund.money else ""


def _task_names(refund: Refund) -> dict[str, Any]:
    """The tasks that its money waits for, by key. A part has a key for each time it was sent anew."""
    asked = {f"{CHECK}:{key}": _("Asking the provider") for part in refund.parts.all() for key in part.keys}
    return {f"{SUBMIT}:{refund.pk}": _("Sending it"), **asked}


def _chart(currency: str, weeks: Any) -> dict[str, Any]:
    """Bars of a chart that is 100 high, one pair a week, and the same numbers in words."""
    highest = max((max(week.promised, week.returned) for week in weeks), default=0) or 1
    return {
        "currency": currency,
        "width": len(weeks) * 40,
        "weeks": [_bars(week, n, highest, currency) for n, week in enumerate(weeks)],
    }


def _bars(week: Week, number: int, highest: int, currency: str) -> dict[str, Any]:
    promised, returned = round(100 * week.promised / highest), round(100 * week.returned / highest)
    return {
        "x": number * 40 + 4,
        "x2": number * 40 + 20,
        "starts": format_day(week.starts),
        "promised": format_money(Money(week.promised, currency)),
        "returned": format_money(Money(week.returned, currency)),
        "promised_y": 110 - promised,
        "promised_height": promised,
        "returned_y": 110 - returned,
        "returned_height": returned,
    }


@shows_signs("billing.view_refund")
def _refund_signs() -> Iterator[Sign]:
    count = Refund.objects.filter(status__in=STUCK_REFUND_STATUSES).count()
    address = f"{reverse('admin:billing_refund_changelist')}?{RefundStateFilter.parameter_name}=failed"
    yield Sign(gettext("Refunds that failed"), count, address)
