"""Actions on many callback requests: a page asks first, then says what became of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from common.outcomes import act_on_each
from common.whole_numbers import whole_number
from desk.admin.forms import BulkCloseForm, HandOverForm
from desk.admin.steps import ERASE, HAND_OVER, Act, close_uncalled, erase, hand_over, step_of
from desk.models import CallbackRequest

_NAMED = 20


@dataclass(frozen=True, slots=True)
class Bulk:
    """One action on many: what is done with each, who may, what the page in between asks, why some are skipped."""

    action: str
    act: Act
    permission: str
    form: Callable[..., forms.Form]
    title: Any
    skipped: Any


_HAND_OVER = Bulk(
    "hand_over_selected", hand_over, HAND_OVER, HandOverForm, _("Hand over to an agent"), _("closed, or theirs already")
)
_CLOSE = Bulk(
    "close_selected", close_uncalled, HAND_OVER, BulkCloseForm, _("Close without a call"),
    _("already closed, or an agent is calling"),
)  # fmt: skip
_ERASE = Bulk("erase_selected", erase, ERASE, forms.Form, _("Erase contact data"), _("still open, or erased already"))


class BulkActions(admin.ModelAdmin):  # type: ignore[type-arg]
    actions = ("hand_over_selected", "close_selected", "erase_selected")

    def has_hand_over_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(HAND_OVER)

    def has_erase_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(ERASE)

    @admin.action(description=_("Hand over to an agent"), permissions=["hand_over"])
    def hand_over_selected(self, request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> HttpResponse | None:
        return self._ask(request, queryset, _HAND_OVER)

    @admin.action(description=_("Close without a call"), permissions=["hand_over"])
    def close_selected(self, request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> HttpResponse | None:
        """Those that are open and that no other agent holds."""
        return self._ask(request, queryset, _CLOSE)

    @admin.action(description=_("Erase contact data"), permissions=["erase"])
    def erase_selected(self, request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> HttpResponse | None:
        return self._ask(request, queryset, _ERASE)

    def _ask(self, request: HttpRequest, queryset: QuerySet[CallbackRequest], bulk: Bulk) -> HttpResponse | None:
        """The page in between; once it is confirmed, each request in a transaction of its own."""
        first = step_of(request, bulk.permission, 0)
        confirmed = "confirmed" in request.POST
        form = bulk.form(request.POST if confirmed else None)
        if confirmed and form.is_valid():
            keys = _chosen(request, queryset)
            names = CallbackRequest.objects.in_bulk(keys)
            act_on_each(
                request,
                keys,
                lambda pk: bulk.act(replace(first, pk=pk, given=form.cleaned_data)) is not None,
                skipped=str(bulk.skipped),
                name=lambda pk: names[pk].reference if pk in names else str(pk),
            )
            return None
        rows = queryset.select_related("tenant")
        return TemplateResponse(
            request,
            "admin/desk/callbackrequest/bulk.html",
            {
                **self.admin_site.each_context(request),
                "title": bulk.title,
                "opts": self.opts,
                "form": form,
                "action": bulk.action,
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
    return [key for text in request.POST.getlist(ACTION_CHECKBOX_NAME) if (key := whole_number(text))]
