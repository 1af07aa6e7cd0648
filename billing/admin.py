"""Accounts, charges and refunds, for staff."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from billing.formatting import format_money
from billing.models import BillingAccount, Charge, Correction, PaymentMethod, Refund, RefundPart
from billing.money import Money
from tenants.admin_base import FoldedSearch, ReadOnlyAdmin


class PaymentMethodInline(admin.TabularInline):  # type: ignore[type-arg]
    model = PaymentMethod
    extra = 0


@admin.register(BillingAccount)
class BillingAccountAdmin(FoldedSearch):
    list_display = ("tenant", "payment_methods_known")
    search_fields = ("tenant__search_key",)
    autocomplete_fields = ("tenant",)
    inlines = (PaymentMethodInline,)


class CorrectionInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Correction
    extra = 0
    can_delete = False


@admin.register(Charge)
class ChargeAdmin(ReadOnlyAdmin):
    list_display = (
        "external_id",
        "tenant",
        "description",
        "charged_money",
        "settled_money",
        "refunded_money",
        "period_end",
    )
    list_select_related = ("agreement__account__tenant",)
    search_fields = ("external_id", "agreement__account__tenant__domain")
    inlines = (CorrectionInline,)

    @admin.display(description=_("tenant"))
    def tenant(self, charge: Charge) -> str:
        """Whose it is."""
        return str(charge.agreement.account.tenant)

    @admin.display(description=_("charged"))
    def charged_money(self, charge: Charge) -> str:
        """With tax, corrections taken off."""
        return _money(charge.charged - charge.corrected, charge)

    @admin.display(description=_("settled"))
    def settled_money(self, charge: Charge) -> str:
        """What was paid."""
        return _money(charge.settled, charge)

    @admin.display(description=_("refunded"))
    def refunded_money(self, charge: Charge) -> str:
        """Returned, on its way or held."""
        return _money(charge.refunded, charge)


class RefundPartInline(admin.TabularInline):  # type: ignore[type-arg]
    model = RefundPart
    extra = 0
    fields = ("id", "charge", "amount", "tax")
    readonly_fields = fields


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin):
    list_display = ("money", "tenant", "status", "due_by", "requested_at", "settled_at")
    list_filter = ("status",)
    list_select_related = ("agreement__account__tenant",)
    ordering = ("due_by",)
    inlines = (RefundPartInline,)

    @admin.display(description=_("amount"), ordering="amount")
    def money(self, refund: Refund) -> str:
        """How much, in the language of the page."""
        return format_money(refund.money)

    @admin.display(description=_("tenant"))
    def tenant(self, refund: Refund) -> str:
        """Who gets it."""
        return str(refund.agreement.account.tenant)


def _money(amount: int, charge: Charge) -> str:
    return format_money(Money(amount, charge.agreement.currency))
