"""What providers said of money that could not be taken, for staff to look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.currencies import EXPONENTS
from billing.formatting import format_money
from billing.models import ProviderNotice
from billing.money import Money
from billing.notices import resolve_notice
from common.admin import ReadOnlyAdmin
from common.formatting import active_language
from common.outcomes import act_on_each
from tenants.staff import staff_caller


class LookedAtFilter(admin.EmptyFieldListFilter):
    """Says "not yet" and "yes" where Django says "empty" and "not empty"."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        whole, *halves = super().choices(changelist)
        yield whole
        for choice, label in zip(halves, (_("not yet"), _("yes")), strict=True):
            yield {**choice, "display": label}


@admin.register(ProviderNotice)
class ProviderNoticeAdmin(ReadOnlyAdmin):
    list_display = ("reference", "reason", "money", "tenant", "seen_at", "said_at", "kind", "provider", "charge_id")
    list_filter = (("seen_at", LookedAtFilter), "provider", "reason")
    list_select_related = ("agreement__account__tenant",)
    search_fields = ("reference", "charge_id", "agreement__account__tenant__search_key")
    fields = ("reference", "provider", "kind", "reason", "money", "charge_id", "agreement", "said_at", "seen_at")
    ordering = ("-pk",)
    actions = ("resolve",)

    @admin.display(description=_("amount"), ordering="amount")
    def money(self, notice: ProviderNotice) -> str:
        """As the provider said it; some say no currency, or none that there is."""
        if notice.currency in EXPONENTS:
            return format_money(Money(notice.amount, notice.currency))
        return str(notice.amount)

    @admin.display(description=_("tenant"))
    def tenant(self, notice: ProviderNotice) -> str:
        return str(notice.agreement.account.tenant)

    @admin.action(description=_("I looked at both sides"), permissions=["resolve"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[ProviderNotice]) -> None:
        """Take them off the list of what does not add up."""
        caller, now = staff_caller(request), timezone.now()
        rows = queryset.select_related("agreement__account")
        act_on_each(
            request,
            rows,
            lambda row: resolve_notice(notice=row, caller=caller, language=active_language(), now=now),
            skipped=gettext("it was looked at before"),
            name=lambda row: row.reference,
        )

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.resolve_providernotice")
