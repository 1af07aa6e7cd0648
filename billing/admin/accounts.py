"""Accounts with their statements, and charges, for staff."""

from __future__ import annotations

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.admin.amounts import as_money
from billing.formatting import format_money, read_money
from billing.models import BillingAccount, Charge, Correction, PaymentMethod, ReturnElsewhere
from billing.periods import refund_due_by
from billing.refunds.requests import refund_by_hand
from billing.selectors import LineKind, statement
from common.admin import AuditedAdmin, FoldedSearch, ReadOnlyAdmin, button
from common.errors import ExpectedError
from common.formatting import format_date
from common.messages import error_message
from common.whole_numbers import whole_number
from tenants.staff import staff

_LINE_NAMES = {
    LineKind.CHARGE: _("charged"),
    LineKind.CORRECTION: _("corrected"),
    LineKind.PAYMENT: _("paid"),
    LineKind.CREDIT: _("credited"),
    LineKind.PAYOUT: _("paid out"),
    LineKind.DISPUTE: _("disputed"),
}


class PaymentMethodInline(admin.TabularInline):  # type: ignore[type-arg]
    model = PaymentMethod
    extra = 0


@admin.register(BillingAccount)
class BillingAccountAdmin(AuditedAdmin, FoldedSearch):
    list_display = ("tenant", "payment_methods_known")
    search_fields = ("tenant__search_key",)
    autocomplete_fields = ("tenant",)
    inlines = (PaymentMethodInline,)
    personal_fields = ("label",)
    change_form_template = "admin/billing/billingaccount/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        return [button(self, "statement", self.statement), *super().get_urls()]

    def statement(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Everything charged, corrected, paid and returned, and what that leaves."""
        staff(request, "billing.view_charge")
        account = get_object_or_404(BillingAccount.objects.select_related("tenant"), pk=pk)
        books = [
            {
                "currency": book.currency,
                "lines": [
                    {
                        "on": format_date(line.at, account.tenant.zone),
                        "what": f"{_LINE_NAMES[line.kind]}: {line.text}",
                        "amount": format_money(line.amount),
                        "balance": format_money(line.balance),
                    }
                    for line in book.lines
                ],
                "totals": [(_LINE_NAMES[kind], format_money(total)) for kind, total in book.totals.items()],
            }
            for book in statement(pk)
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": _("Statement"),
            "subtitle": str(account),
            "opts": self.opts,
            "original": account,
            "books": books,
        }
        return TemplateResponse(request, "admin/billing/billingaccount/statement.html", context)


class CorrectionInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Correction
    extra = 0
    can_delete = False
    fields = (
        "external_id",
        as_money("amount", _("amount"), lambda row: row.charge.money(row.amount)),
        as_money("tax", _("of that tax"), lambda row: row.charge.money(row.tax)),
        "corrected_at",
    )
    readonly_fields = fields


class ReturnElsewhereInline(admin.TabularInline):  # type: ignore[type-arg]
    model = ReturnElsewhere
    extra = 0
    can_delete = False
    fields = (
        "kind",
        as_money("amount", _("amount"), lambda row: row.charge.money(row.amount)),
        "status",
        "source",
        "external_id",
        "known_at",
    )
    readonly_fields = fields


@admin.register(Charge)
class ChargeAdmin(ReadOnlyAdmin):
    list_display = (
        "external_id",
        "tenant",
        "description",
        "charged_money",
        "paid_money",
        "refunded_money",
        "period_end",
    )
    list_select_related = ("agreement__account__tenant",)
    search_fields = ("external_id", "agreement__account__tenant__domain")
    fields = (
        "agreement", "external_id", "currency", "description", "seats", "period_start", "period_end", "charged_at",
        as_money("charged", _("charged, with tax"), lambda row: row.money(row.charged)),
        as_money("tax", _("of that tax"), lambda row: row.money(row.tax)),
        as_money("paid", _("paid"), lambda row: row.money(row.paid)),
        as_money("in_flight", _("in flight"), lambda row: row.money(row.in_flight)),
        as_money("corrected", _("corrected"), lambda row: row.money(row.corrected)),
        as_money("corrected_tax", _("of that tax"), lambda row: row.money(row.corrected_tax)),
        as_money("refunded", _("refunded"), lambda row: row.money(row.refunded)),
        as_money("returned_elsewhere", _("returned elsewhere"), lambda row: row.money(row.returned_elsewhere)),
        as_money("disputed", _("disputed"), lambda row: row.money(row.disputed)),
    )  # fmt: skip
    readonly_fields = fields
    inlines = (CorrectionInline, ReturnElsewhereInline)
    change_form_template = "admin/billing/charge/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        return [button(self, "refund", self.refund), *super().get_urls()]

    def refund(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give back a part of what was paid, for a reason."""
        _user, caller = staff(request, "billing.settle_refund")
        charge = get_object_or_404(Charge.objects.select_related("agreement__account__tenant"), pk=pk)
        now = timezone.now()
        left = charge.money(charge.left)
        shown = str(charge.refunded)
        if request.method == "POST":
            # As the page showed it, so that what was pressed twice is done once.
            seen = whole_number(request.POST.get("refunded", shown))
            charge.refunded = -1 if seen is None else seen
            try:
                amount = read_money(request.POST.get("amount", ""), charge.currency).minor_units
                zone = charge.agreement.account.tenant.zone
                refund = refund_by_hand(
                    charge=charge,
                    amount=amount,
                    reason=request.POST.get("reason", ""),
                    due_by=refund_due_by(charge.period_start, now, zone),
                    caller=caller,
                    now=now,
                )
            except ExpectedError as error:
                messages.error(request, error_message(error))
            else:
                messages.success(request, _("%(amount)s goes back.") % {"amount": format_money(refund.money)})
                return redirect("admin:billing_refund_change", refund.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Refund by hand"),
            "subtitle": str(charge),
            "opts": self.opts,
            "original": charge,
            "left": format_money(left),
            "refunded": shown,
            "typed": {name: request.POST.get(name, "") for name in ("amount", "reason")},
        }
        return TemplateResponse(request, "admin/billing/charge/refund.html", context)

    @admin.display(description=_("tenant"))
    def tenant(self, charge: Charge) -> str:
        return str(charge.agreement.account.tenant)

    @admin.display(description=_("charged"))
    def charged_money(self, charge: Charge) -> str:
        """With tax, corrections taken off."""
        return _money(charge.charged - charge.corrected, charge)

    @admin.display(description=_("paid"))
    def paid_money(self, charge: Charge) -> str:
        """What was paid."""
        return _money(charge.paid, charge)

    @admin.display(description=_("refunded"))
    def refunded_money(self, charge: Charge) -> str:
        """Returned, on its way or held, by us and by others, and what disputes hold or took."""
        return _money(charge.gone, charge)


def _money(amount: int, charge: Charge) -> str:
    return format_money(charge.money(amount))
