"""Actions on many callback requests: a page asks first, then says how many were changed and how many skipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.formatting import active_language
from desk.admin.forms import BulkCloseForm, HandOverForm
from desk.models import CallbackRequest
from desk.services.desk import close_without_call, erase_contact, reassign_callback
from tenants.staff import staff

HAND_OVER = "desk.reassign_callbacks"
ERASE = "desk.erase_contact"
_NAMED = 20


class BulkActions(admin.ModelAdmin):  # type: ignore[type-arg]
    actions = ("hand_over_selected", "close_selected", "erase_selected")

    def has_hand_over_permission(self, request: HttpRequest) -> bool:
        """For the actions of supervisors."""
        return request.user.has_perm(HAND_OVER)

    def has_erase_permission(self, request: HttpRequest) -> bool:
        """For erasing."""
        return request.user.has_perm(ERASE)

    @admin.action(description=_("Hand over to an agent"), permissions=["hand_over"])
    def hand_over_selected(self, request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> HttpResponse | None:
        """Whoever has them."""
        _supervisor, caller = staff(request, HAND_OVER)

        def act(pk: int, form: Any) -> bool:
            to, now = form.cleaned_data["agent"], timezone.now()
            return reassign_callback(to=to, caller=caller, callback_id=pk, language=active_language(), now=now)

        title, skipped = _("Hand over to an agent"), _("closed, or theirs already")
        return self._ask(request, queryset, HandOverForm, act, "hand_over_selected", title, skipped)

    @admin.action(description=_("Close without a call"), permissions=["hand_over"])
    def close_selected(self, request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> HttpResponse | None:
        """Those that are open and that no other agent holds."""
        supervisor, caller = staff(request, HAND_OVER)

        def act(pk: int, form: Any) -> bool:
            return close_without_call(
                agent=supervisor,
                caller=caller,
                callback_id=pk,
                disposition=form.reason(),
                tell=form.cleaned_data["tell"],
                supervising=True,
                language=active_language(),
                now=timezone.now(),
            )

        title, skipped = _("Close without a call"), _("already closed, or an agent is calling")
        return self._ask(request, queryset, BulkCloseForm, act, "close_selected", title, skipped)

    @admin.action(description=_("Erase contact data"), permissions=["erase"])
    def erase_selected(self, request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> HttpResponse | None:
        """Of closed requests."""
        _supervisor, caller = staff(request, ERASE)

        def act(pk: int, _form: Any) -> bool:
            return erase_contact(caller=caller, callback_id=pk, language=active_language(), now=timezone.now())

        title, skipped = _("Erase contact data"), _("still open, or erased already")
        return self._ask(request, queryset, forms.Form, act, "erase_selected", title, skipped)

    def _ask(
        self,
        request: HttpRequest,
        queryset: QuerySet[CallbackRequest],
        kind: type[forms.Form],
        act: Callable[[int, Any], bool],
        action: str,
        title: Any,
        skipped: Any,
    ) -> HttpResponse | None:
        """The page in between; once it is confirmed, each request in a transaction of its own."""
        confirmed = "confirmed" in request.POST
        form = kind(request.POST if confirmed else None)
        if confirmed and form.is_valid():
            keys = _chosen(request, queryset)
            changed = sum(act(pk, form) for pk in keys)
            values = {"changed": changed, "skipped": len(keys) - changed, "why": skipped}
            said = (
                _("%(changed)d changed, %(skipped)d skipped (%(why)s).")
                if len(keys) > changed
                else _("%(changed)d changed.")
            )
            messages.success(request, said % values)
            return None
        rows = queryset.select_related("tenant")
        return TemplateResponse(
            request,
            "admin/desk/callbackrequest/bulk.html",
            {
                **self.admin_site.each_context(request),
                "title": title,
                "opts": self.opts,
                "form": form,
                "action": action,
                "checkbox": ACTION_CHECKBOX_NAME,
                "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
                "across": request.POST.get("select_across", "0"),
                "count": rows.count(),
                "rows": rows[:_NAMED],
            },
        )


def _chosen(request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> list[int]:
    """What was ticked, also where it has left the list since: it is counted as skipped."""
    if request.POST.get("select_across") == "1":
        return list(queryset.values_list("pk", flat=True))
    return [int(key) for key in request.POST.getlist(ACTION_CHECKBOX_NAME) if key.isdecimal()]
