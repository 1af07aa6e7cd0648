"""What the admin does with accounts, on the pages of tenants and of people: invite, and reset a second factor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from common.admin import button
from common.errors import ExpectedError
from common.formatting import format_local
from common.messages import error_message, say
from common.whole_numbers import whole_number
from portal.accounts.factors import reset_second_factor
from portal.accounts.invitations import invite_admin, send_again, withdraw_invitation
from portal.accounts.mail import site_of
from tenants.admin import PersonAdmin, TenantAdmin
from tenants.callers import Caller
from tenants.models import Invitation, Tenant, User
from tenants.models.invitations import InvitationStatus
from tenants.staff import has_more_rights, staff

_MAX_REASON = 300


class InvitationForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Invitation
        fields = ("email", "first_name", "last_name", "role", "language")


class ReasonForm(forms.Form):
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=_MAX_REASON)


admin.site.unregister(Tenant)


@admin.register(Tenant)
class TenantPage(TenantAdmin):
    change_form_template = "admin/tenants/tenant/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        return [button(self, "invitations", self.invitations), *super().get_urls()]

    def invitations(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Those of the last month; one more, one more mail of one, the end of one."""
        user, caller = staff(request, "tenants.invite_admin")
        tenant, now = get_object_or_404(Tenant, pk=pk), timezone.now()
        form = InvitationForm(
            request.POST if request.method == "POST" else None,
            instance=Invitation(tenant=tenant, language=tenant.language),
        )
        try:
            if request.method == "POST" and _done(request, tenant, form, user, caller, now):
                return redirect(request.path)
        except ExpectedError as error:
            messages.error(request, error_message(error))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Invitations"),
            "subtitle": str(tenant),
            "opts": self.opts,
            "original": tenant,
            "form": form,
            "rows": list(_rows(tenant, now)),
        }
        return TemplateResponse(request, "admin/tenants/tenant/invitations.html", context)


def _done(
    request: HttpRequest, tenant: Tenant, form: InvitationForm, user: User, caller: Caller, now: datetime
) -> bool:
    """Whether what was pressed was done; a form that is not filled in right says why. Raises ExpectedError."""
    site = site_of(request)
    acts: dict[str, Callable[[Invitation], None]] = {
        "again": lambda row: send_again(invitation=row, site=site, caller=caller, now=now),
        "withdraw": lambda row: withdraw_invitation(invitation=row, caller=caller, now=now),
    }
    for name, act in acts.items():
        if name in request.POST:
            found = get_object_or_404(tenant.invitations, pk=whole_number(request.POST[name]) or 0)
            act(found)
            return True
    if form.is_valid():
        invite_admin(invitation=form.save(commit=False), by=user, site=site, caller=caller, now=now)
        messages.success(request, _("The invitation is on its way."))
        return True
    return False


def _rows(tenant: Tenant, now: datetime) -> Iterator[dict[str, object]]:
    for row in tenant.invitations.order_by("-pk"):
        status = row.status_at(now)
        yield {
            "invitation": row,
            "status": say(status.label, {}),
            "expires": format_local(row.expires_at, timezone.get_current_timezone()),
            "can_end": status in (InvitationStatus.WAITING, InvitationStatus.EXPIRED),
        }


admin.site.unregister(User)


@admin.register(User)
class PersonPage(PersonAdmin):
    change_form_template = "admin/tenants/user/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        return [button(self, "second_factor", self.second_factor), *super().get_urls()]

    def second_factor(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Say why, and take the second factor of somebody else away, who may not do more."""
        user, caller = staff(request, "tenants.reset_second_factor")
        person = get_object_or_404(User, pk=pk)
        if person == user or has_more_rights(person, user):
            raise PermissionDenied
        form = ReasonForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            reason = form.cleaned_data["reason"]
            if reset_second_factor(person=person, reason=reason, caller=caller, request=request, now=timezone.now()):
                messages.success(request, _("The second factor was reset, and the person is told by mail."))
            else:
                messages.info(request, _("There is no second factor to reset."))
            return redirect(request.path)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Reset the second factor"),
            "subtitle": str(person),
            "opts": self.opts,
            "original": person,
            "form": form,
            "has_factor": Authenticator.objects.filter(user=person).exists(),
        }
        return TemplateResponse(request, "admin/tenants/user/second_factor.html", context)
