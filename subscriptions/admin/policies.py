"""Policies: a new version instead of an edit."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.admin import Change, ReadOnlyAdmin, changed_meanwhile
from common.errors import ChangedMeanwhile
from common.formatting import active_language
from common.outcomes import act_on_each
from common.whole_numbers import WholeNumberField, whole_number
from subscriptions.models import CancellationPolicy
from subscriptions.publishing import publish_policy, withdraw_policy
from tenants.actions import Action
from tenants.audit import actor_names
from tenants.models import AuditEvent
from tenants.staff import staff

ADD = "subscriptions.add_cancellationpolicy"


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = CancellationPolicy
        fields = (
            "tenant",
            "name",
            "online_license_limit",
            "limit_is_inclusive",
            "count_requested_removals",
            "proration_convention",
            "full_refund_hours",
            "prorated_refund_hours",
        )
        field_classes = dict.fromkeys(
            ("online_license_limit", "full_refund_hours", "prorated_refund_hours"), WholeNumberField
        )


@admin.register(CancellationPolicy)
class CancellationPolicyAdmin(ReadOnlyAdmin):
    list_display = (
        "name", "tenant", "version", "in_force", "online_license_limit", "limit_is_inclusive", "proration_convention",
        "created_at",
    )  # fmt: skip
    list_filter = ("in_force",)
    list_select_related = ("tenant",)
    ordering = ("tenant__name", "-version")
    actions = ("withdraw",)
    change_form_template = "admin/subscriptions/cancellationpolicy/change_form.html"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(ADD)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Publish a new version, started from the one that ``?from=`` names; the old one stays as it is."""
        _user, caller = staff(request, ADD)
        form = PolicyForm(request.POST or None, initial=self._start(request))
        seen = request.POST.get("seen", "") if request.method == "POST" else _in_force()
        if request.method == "POST" and form.is_valid():
            try:
                published = publish_policy(
                    caller=caller,
                    policy=form.instance,
                    instead_of=_seen_of(form.instance.tenant_id, seen),
                    language=active_language(),
                    now=timezone.now(),
                )
            except ChangedMeanwhile:
                return changed_meanwhile(self, request, request.get_full_path(), _latest(form.instance.tenant_id))
            messages.success(request, _("“%(policy)s” is in force.") % {"policy": published})
            return redirect("admin:subscriptions_cancellationpolicy_changelist")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Publish a new version"),
            "opts": self.opts,
            "form": form,
            "seen": seen,
        }
        return TemplateResponse(request, "admin/subscriptions/cancellationpolicy/publish.html", context)

    def _start(self, request: HttpRequest) -> dict[str, Any]:
        start = CancellationPolicy.objects.filter(pk=whole_number(request.GET.get("from", "")) or 0).first()
        return model_to_dict(start) if start else {}

    @admin.action(description=_("Withdraw: the tenant goes by the default again"), permissions=["add"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[CancellationPolicy]) -> None:
        """End overrides; the default cannot be withdrawn, only replaced."""
        _user, caller = staff(request, ADD)
        language, now = active_language(), timezone.now()

        def withdraw(policy: CancellationPolicy) -> bool:
            if not (policy.in_force and policy.tenant):
                return False
            return withdraw_policy(caller=caller, tenant=policy.tenant, language=language, now=now)

        rows = queryset.select_related("tenant")
        act_on_each(request, rows, withdraw, skipped=gettext("it is the default, or not in force"))


def _in_force() -> str:
    """Which versions are in force, by tenant: what a page has shown, whichever tenant is chosen on it."""
    rows = CancellationPolicy.objects.filter(in_force=True).values_list("tenant", "pk")
    return json.dumps({str(tenant or ""): pk for tenant, pk in rows}, separators=(",", ":"))


def _seen_of(tenant_id: int | None, seen: str) -> int | None:
    """Which of the tenant's own the page has shown; none that there is, where it does not say."""
    try:
        shown = dict(json.loads(seen)).get(str(tenant_id or ""))
    except (ValueError, TypeError):
        return 0
    return shown if isinstance(shown, int) else None


def _latest(tenant_id: int | None) -> list[Change]:
    """What happened to the tenant's policy last."""
    said: dict[str, Any] = {
        Action.POLICY_PUBLISHED: _("published a version"),
        Action.POLICY_WITHDRAWN: _("withdrew it"),
    }
    events = list(AuditEvent.objects.filter(tenant=tenant_id, action__in=said).order_by("-position")[:1])
    names = actor_names(events)
    return [Change(e.at, names[e.actor_kind, e.actor_id], str(said[e.action])) for e in events]
