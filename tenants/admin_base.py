"""What the admins of several rooms share."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.contenttypes.models import ContentType
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from tenants.search import fold


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """No adding, no changing, no deleting."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows are written by services."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows are changed by services."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Rows stay."""
        return False


class FoldedSearch(admin.ModelAdmin):  # type: ignore[type-arg]
    """Searches in stored search keys: in any case and either alphabet."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Fold what is asked as what is stored was folded."""
        return super().get_search_results(request, queryset, fold(search_term))


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages through the first 5,000 rows: nobody turns more pages, and counting on would cost with the table."""

    @cached_property
    def count(self) -> int:
        """How many there are, or the cap."""
        found: int = self.object_list.order_by()[:5000].count()  # type: ignore[attr-defined]
        return found


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a history: when, who and what, in words."""

    at: datetime
    who: str
    what: str


class NoLostUpdates(admin.ModelAdmin):  # type: ignore[type-arg]
    """An edit of what somebody else changed meanwhile is not saved: a page says who changed what.

    The history keeps the old and the new value of every field, but of ``personal_fields`` only that they changed.
    """

    change_form_template = "admin/no_lost_updates.html"
    personal_fields: tuple[str, ...] = ()

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Save only what was decided on what is there."""
        found = self.get_object(request, unquote(object_id)) if object_id else None
        with transaction.atomic():
            history = self._history_of(found)
            if request.method == "POST" and found:
                self.model._default_manager.select_for_update().get(pk=found.pk)
                seen = request.POST.get("seen", "")
                missed = history.filter(pk__gt=int(seen) if seen.isdecimal() else 0)
                if missed:
                    changes = [Change(e.action_time, e.user.get_username(), e.get_change_message()) for e in missed]
                    return changed_meanwhile(self, request, request.path, changes)
            latest = history.last()
            context = {**(extra_context or {}), "seen": latest.pk if latest else 0}
            response: HttpResponse = super().changeform_view(request, object_id, form_url, context)
            return response

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Old and new value of what was changed."""
        if add:
            return super().construct_change_message(request, form, formsets, add)
        changed = [
            str(form.fields[name].label)
            if name in self.personal_fields
            else f"{form.fields[name].label}: {form.initial.get(name)} → {form.cleaned_data[name]}"
            for name in form.changed_data
        ]
        return [{"changed": {"fields": changed}}] if changed else []

    def _history_of(self, found: Any) -> QuerySet[LogEntry]:
        content_type = ContentType.objects.get_for_model(self.model)
        entries = LogEntry.objects.filter(content_type=content_type, object_id=str(found.pk) if found else "")
        return entries.select_related("user").order_by("pk")


def changed_meanwhile(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, back: str, changes: list[Change]
) -> HttpResponse:
    """The page that says who changed what since another page was opened; nothing was done."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Changed meanwhile"),
        "opts": model_admin.opts,
        "changes": changes,
        "back": back,
    }
    return TemplateResponse(request, "admin/changed_meanwhile.html", context, status=409)


def pretty(data: Any) -> str:
    """JSON for reading, in a block of its own."""
    return format_html("<pre>{}</pre>", json.dumps(data, indent=2, ensure_ascii=False))


def shown_once(said: str, secret: str) -> str:
    """A sentence and the secret it is about."""
    return format_html("{} <code>{}</code>", said, secret)
