"""What the admins of several apps share.

Nothing here knows of tenants: what writes a change down is supplied by record_with().
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.paginator import Paginator
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DataError, transaction
from django.db.models import BigIntegerField, IntegerField, Model, QuerySet
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from common.search import fold
from common.whole_numbers import WholeNumberField, whole_number


class CheckedList(ChangeList):
    """A list that is asked for a year, a day or a number that there is not answers as with any other odd filter."""

    def __init__(self, request: HttpRequest, *args: Any, **options: Any) -> None:
        try:
            super().__init__(request, *args, **options)
        except (ValueError, OverflowError, DataError) as error:
            raise IncorrectLookupParameters(error) from error


class _Listed(admin.ModelAdmin):  # type: ignore[type-arg]
    formfield_overrides = {
        IntegerField: {"form_class": WholeNumberField},
        BigIntegerField: {"form_class": WholeNumberField},
    }

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ChangeList]:
        return CheckedList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """By the filters of the list, and by ids. By any other field, what is masked could be found out letter by letter."""
        named = [getattr(item, "parameter_name", item) for item in self.get_list_filter(request)]
        fields = [item[0] if isinstance(item, list | tuple) else item for item in [*named, self.date_hierarchy] if item]
        is_offered = any(lookup == name or lookup.startswith(f"{name}__") for name in fields)
        return (is_offered or lookup.endswith("id__exact")) and super().lookup_allowed(lookup, value, request)


class ReadOnlyAdmin(_Listed):
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
    """One line of a history: when and who, where that is known, and what, in words."""

    at: datetime | None
    who: str
    what: str


# What fields held and hold, by the field's name; those of an inline row as "model pk.field".
Changes = dict[str, tuple[Any, Any]]


class Recorder(Protocol):
    """Writes one change by staff on the trail of a tenant, or of the installation (None), in its transaction."""

    def __call__(
        self,
        request: HttpRequest,
        *,
        tenant_id: int | None,
        action: str,
        subject: str,
        data: Mapping[str, Any],
        personal: Mapping[str, Any],
    ) -> None:
        """``personal`` is what may have to be erased."""


_recorder: Recorder | None = None


def record_with(recorder: Recorder) -> None:
    """Have every change that an AuditedAdmin saves written down by ``recorder``. Called as apps start."""
    global _recorder
    _recorder = recorder


class AuditedAdmin(_Listed):
    """A form that writes: each change is on the audit trail with old and new values, and none overwrites another.

    A page carries what its fields held when it was shown. Where the row holds something else by the time the page is
    sent, whoever changed it (staff, an import, a service), nothing is saved and a page says what was changed.
    Values of ``personal_fields`` are kept apart, so that they can be erased.
    """

    change_form_template = "admin/audited.html"
    personal_fields: tuple[str, ...] = ()
    trail_noun = ""
    trail_verbs = ("added", "changed", "deleted")

    def trails(self, obj: Any, changes: Changes) -> Iterable[int | None]:
        """The tenants on whose trails it belongs, also where it was another's; None is the installation's."""
        now = getattr(obj, "tenant_id", None)
        return {now, changes.get("tenant", (now, now))[0] or now}

    def facts(self, obj: Any) -> dict[str, Any]:
        """What an event says of ``obj`` besides the changes. Nothing personal."""
        return {}

    def record_change(self, request: HttpRequest, obj: Any, verb: str, changes: Changes) -> None:
        """Put one event on each trail, in the transaction of the change."""
        personal = {name: values for name, values in changes.items() if name.rpartition(".")[2] in self.personal_fields}
        others = {name: values for name, values in changes.items() if name not in personal}
        for tenant_id in sorted(self.trails(obj, changes), key=lambda tenant_id: tenant_id or 0):
            assert _recorder is not None  # nothing is changed that nobody writes down
            _recorder(
                request,
                tenant_id=tenant_id,
                action=f"{self.trail_noun or self.opts.model_name}.{verb}",
                subject=f"{self.model.__name__}:{obj.pk}",
                data={**self.facts(obj), "changes": others, "personal": sorted(personal)},
                personal={"changes": personal} if personal else {},
            )

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Save only what was decided on what is there."""
        found = self.get_object(request, unquote(object_id)) if object_id else None
        with transaction.atomic():
            if request.method == "POST" and found:
                self.model._default_manager.select_for_update().filter(pk=found.pk).first()
                found = self.get_object(request, str(found.pk))
            held = self._held(request, found)
            history = self._history_of(found)
            if request.method == "POST" and (overtaken := _overtaken(request.POST.get("shown", ""), held)):
                missed = history.filter(pk__gt=whole_number(request.POST.get("seen", "")) or 0)
                changes = [Change(e.action_time, e.user.get_username(), e.get_change_message()) for e in missed]
                # Whatever is no form of ours has no entry there: an import, for example.
                changes = changes or [Change(None, "", self._labels(request, found, overtaken))]
                return changed_meanwhile(self, request, request.path, changes)
            latest = history.last()
            context = {**(extra_context or {}), "seen": latest.pk if latest else 0, "shown": json.dumps(held)}
            response: HttpResponse = super().changeform_view(request, object_id, form_url, context)
            return response

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The last of what is saved; then the trail."""
        super().save_related(request, form, formsets, change)
        added, changed, _deleted = self.trail_verbs
        changes = _changes(form, formsets, added=not change)
        if changes or not change:
            self.record_change(request, form.instance, changed if change else added, changes)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Put on the trail what it was, then delete it."""
        values = model_to_dict(obj)
        values.pop("password", None)
        with transaction.atomic():
            gone: Changes = {name: (_plain(value), None) for name, value in values.items()}
            self.record_change(request, obj, self.trail_verbs[2], gone)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """The same, for many."""
        for obj in queryset:
            self.delete_model(request, obj)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Old and new value of what was changed, for the history; of personal fields only that they were."""
        if add or formsets is None:
            return super().construct_change_message(request, form, formsets, add)

        def said(name: str, old: Any, new: Any) -> str:
            label = str(form.fields[name].label) if name in form.fields else name
            return label if name.rpartition(".")[2] in self.personal_fields else f"{label}: {old} → {new}"

        changed = [said(name, *values) for name, values in _changes(form, formsets, added=False).items()]
        return [{"changed": {"fields": changed}}] if changed else []

    def _held(self, request: HttpRequest, found: Any) -> dict[str, str]:
        """What the fields of a page hold, each as a short digest; nothing where the page cannot be sent."""
        if found is None or not self.has_change_permission(request, found):
            return {}
        form = self.get_form(request, found, change=True)(instance=found)
        held = {name: form.initial.get(name) for name, field in form.fields.items() if not field.disabled}
        for formset_class, inline in self.get_formsets_with_inlines(request, found):
            if inline.has_change_permission(request, found):
                rows = formset_class(instance=found, queryset=inline.get_queryset(request))
                for row in rows.initial_forms:
                    held.update({_name_in(row, name): row.initial.get(name) for name in _columns(row, rows.fk.name)})
        return {name: _digest(value) for name, value in held.items()}

    def _labels(self, request: HttpRequest, found: Any, names: Iterable[str]) -> str:
        fields = self.get_form(request, found, change=True).base_fields
        return ", ".join(sorted(str(fields[name].label) if name in fields else name for name in names))

    def _history_of(self, found: Any) -> QuerySet[LogEntry]:
        content_type = ContentType.objects.get_for_model(self.model)
        entries = LogEntry.objects.filter(content_type=content_type, object_id=str(found.pk) if found else "")
        return entries.select_related("user").order_by("pk")


def _columns(form: Any, parent: str = "") -> list[str]:
    """The fields of a form that are fields of its model, but for keys, the ``parent`` of a row, and passwords."""
    known = {field.name for field in form.instance._meta.get_fields() if not getattr(field, "primary_key", False)}
    return [name for name in form.fields if name in known - {"password", parent}]


def _name_in(row: Any, name: str) -> str:
    """A field of an inline's row, named so that no two are alike."""
    meta = row.instance._meta
    # A row that was deleted has lost its key, its form has not.
    return f"{meta.model_name} {row.fields[meta.pk.name].initial or row.instance.pk}.{name}"


def _changes(form: Any, formsets: Any, *, added: bool) -> Changes:
    """What a valid form and its inlines change; of a new object, everything that it begins with."""
    names = [name for name in _columns(form) if added or name in form.changed_data]
    changes: Changes = {
        name: (None if added else _plain(form.initial.get(name)), _plain(form.cleaned_data[name])) for name in names
    }
    for formset in formsets:
        for row in formset.forms:
            is_new, is_gone = row not in formset.initial_forms, row in formset.deleted_forms
            if row.has_changed():
                for name in _columns(row, formset.fk.name):
                    old = None if is_new else _plain(row.initial.get(name))
                    new = None if is_gone else _plain(row.cleaned_data[name])
                    if old != new:
                        changes[_name_in(row, name)] = (old, new)
    return changes


def _plain(value: Any) -> Any:
    """As JSON can say it: rows by their keys, rights by their names, many of them in one order."""
    if isinstance(value, Group | Permission):
        return ".".join(value.natural_key())
    if isinstance(value, Model):
        return value.pk
    return sorted(map(_plain, value), key=str) if isinstance(value, list | tuple | QuerySet) else value


def _digest(value: Any) -> str:
    said = json.dumps(_plain(value), cls=DjangoJSONEncoder, sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def _overtaken(shown: str, held: Mapping[str, str]) -> set[str]:
    """The fields that held something else when the page was shown; all, where it does not say what they held."""
    try:
        then = dict(json.loads(shown))
    except (ValueError, TypeError):
        then = {}
    return {name for name in then.keys() | held.keys() if then.get(name) != held.get(name)} if held else set()


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


def button(model_admin: admin.ModelAdmin[Any], name: str, view: Any) -> URLPattern:
    """The address of an action on one object: <pk>/<name>/."""
    meta = model_admin.model._meta

    pattern: URLPattern = path(
        f"<key:pk>/{name}/", model_admin.admin_site.admin_view(view), name=f"{meta.app_label}_{meta.model_name}_{name}"
    )
    return pattern
