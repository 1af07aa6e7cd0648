"""The entry to the admin: a staff member, who has shown a second factor in this session."""

from __future__ import annotations

from functools import update_wrapper
from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from common.attention import signs_for
from common.whole_numbers import whole_number
from desk.selectors import desk


class StaffSite(AdminSite):
    """Lets in who may come in, and sends everyone else to what is missing."""

    def has_permission(self, request: HttpRequest) -> bool:
        """An active staff member, with a second factor where that is asked for."""
        return super().has_permission(request) and (
            not settings.WAYOUT_STAFF_SECOND_FACTOR or shown_second_factor(request)
        )

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Every page speaks the desk's time, read and typed."""
        checked = super().admin_view(view, cacheable)

        def in_the_desks_time(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            _without_odd_choices(request)
            with timezone.override(desk().time_zone):
                response: HttpResponse = checked(request, *args, **kwargs)
                if isinstance(response, TemplateResponse):
                    response.render()
                return response

        return update_wrapper(in_the_desks_time, checked)

    def index(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """With what staff should look at, as far as this person may."""
        return super().index(request, {**(extra_context or {}), "signs": signs_for(request.user)})

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Sign in, set up the second factor, or show it: whichever comes next."""
        after = request.GET.get("next", reverse("admin:index"))
        if not request.user.is_authenticated:
            return redirect_to_login(after, reverse("account_login"))
        if not super().has_permission(request):
            raise PermissionDenied
        if self.has_permission(request):
            return redirect("admin:index")
        if is_mfa_enabled(request.user):
            return redirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': after})}")
        messages.info(request, _("The admin needs a second factor. Set one up here, then open the admin again."))
        return redirect("mfa_activate_totp")


def _without_odd_choices(request: HttpRequest) -> None:
    """Rows are chosen by their numbers; what is none was typed by nobody, and Django would fail at it."""
    chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
    known = [key for key in chosen if whole_number(key)]
    if len(known) < len(chosen):
        sent = request.POST.copy()
        sent.setlist(ACTION_CHECKBOX_NAME, known)
        request.POST = sent  # type: ignore[assignment]


def shown_second_factor(request: HttpRequest) -> bool:
    """Whether the person behind this session has shown a second factor in it."""
    records = get_authentication_records(request, request.user)
    return any(record["method"] == "mfa" for record in records)
