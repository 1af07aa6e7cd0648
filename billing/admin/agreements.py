"""Agreements: who bills what, under which id, and whether they were told that it ends."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.errors import ProviderIdInvalid
from billing.models import Agreement
from billing.providers import billing_providers, subscription_id_example
from billing.refunds.moves import reprice_key
from billing.renewal import CONFIRM_STOP, set_provider_id
from billing.renewal_stop import RenewalStop
from billing.selectors import stops_without_id
from common.admin import Change, FoldedSearch, ReadOnlyAdmin, button, changed_meanwhile
from common.formatting import active_language
from common.messages import error_message
from common.whole_numbers import whole_number
from outbox.attention import task_lines
from tenants.audit import actor_names, events_about
from tenants.staff import staff

CHANGE = "billing.change_agreement"


@admin.register(Agreement)
class AgreementAdmin(FoldedSearch, ReadOnlyAdmin):
    list_display = ("number", "tenant", "currency", "provider", "external_id", "renewal_stop", "confirmed_stop")
    list_display_links = ("number", "tenant", "external_id")
    list_filter = ("renewal_stop", "confirmed_stop", "provider")
    list_select_related = ("account__tenant",)
    search_fields = ("id__iexact", "external_id__iexact", "account__tenant__search_key", "charges__external_id__iexact")
    fields = (
        "account",
        "currency",
        "provider",
        "external_id",
        "renewal_stop",
        "confirmed_stop",
        "stopped_elsewhere",
        "ends_for_good_at",
    )
    change_form_template = "admin/billing/agreement/change_form.html"

    @admin.display(description=_("number"), ordering="pk")
    def number(self, agreement: Agreement) -> int:
        """What ``manage.py reconcile`` calls it by."""
        return agreement.pk

    @admin.display(description=_("tenant"), ordering="account__tenant__name")
    def tenant(self, agreement: Agreement) -> str:
        return str(agreement.account.tenant)

    def get_urls(self) -> list[URLPattern]:
        """Add writing down who bills it."""
        return [button(self, "provider", self.provider), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With a line where nobody could be told or a task does not get on, and the form for who bills it."""
        names = {f"{CONFIRM_STOP}:{object_id}": _("Telling the provider"), reprice_key(object_id): _("Pricing again")}
        context = {
            **(extra_context or {}),
            "task_lines": list(task_lines(names)),
            "may_see_tasks": request.user.has_perm("outbox.view_task"),
            "has_no_id": stops_without_id().filter(pk=whole_number(object_id) or 0).exists(),
            "may_change": request.user.has_perm(CHANGE),
            "providers": billing_providers(),
            "example": " / ".join(map(subscription_id_example, billing_providers())),
            "typed": request.GET.get("typed", ""),
        }
        return super().change_view(request, object_id, form_url, context)

    def provider(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write down who bills it, and tell them what was decided already."""
        _user, caller = staff(request, CHANGE)
        page = reverse("admin:billing_agreement_change", args=[pk])
        if request.method != "POST":
            return redirect(page)
        typed = request.POST.get("external_id", "").strip()
        with transaction.atomic():
            rows = Agreement.objects.select_related("account").select_for_update(of=("self",), no_key=True)
            agreement = get_object_or_404(rows, pk=pk)
            if request.POST.get("was", "").strip() != f"{agreement.provider} {agreement.external_id}".strip():
                return changed_meanwhile(self, request, page, _changes(agreement))
            was_confirmed = agreement.confirmed_stop != RenewalStop.NONE and agreement.external_id
            try:
                changed = set_provider_id(
                    agreement=agreement,
                    provider=request.POST.get("provider", ""),
                    external_id=typed,
                    caller=caller,
                    language=active_language(),
                    now=timezone.now(),
                )
            except ProviderIdInvalid as error:
                messages.error(request, error_message(error))
                return redirect(reverse("admin:billing_agreement_change", args=[pk], query={"typed": typed}))
        if changed:
            messages.success(request, _("Written down. What was decided already is told now."))
        if changed and was_confirmed:
            values = {"id": was_confirmed}
            messages.warning(
                request, _("Look at %(id)s: it was told to stop, and nothing has taken that back.") % values
            )
        return redirect(page)


def _changes(agreement: Agreement) -> list[Change]:
    """Who wrote down the id that is there now."""
    events = list(events_about(agreement.account.tenant_id, f"Agreement:{agreement.pk}"))[-1:]
    names = actor_names(events)
    return [
        Change(event.at, names[event.actor_kind, event.actor_id], f"{agreement.provider} {agreement.external_id}")
        for event in events
    ]
