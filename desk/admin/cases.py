"""The queue and its cases. Every change is a POST through a service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from common.admin import CappedPaginator, ReadOnlyAdmin, button, changed_meanwhile
from common.errors import ChangedMeanwhile, ExpectedError
from common.formatting import zone_name
from common.messages import error_message
from common.whole_numbers import whole_number
from desk.admin import steps
from desk.admin.actions import BUTTONS, CASE, FORMS, LIST, Button, form_of
from desk.admin.bulk import BulkActions
from desk.admin.history import changes_of
from desk.admin.queue import QueueFilter, how_many_due, search_queue
from desk.admin.reports import REPORTS, reports
from desk.admin.steps import ERASE, HAND_OVER, WORK, is_claimed_by, may_close, reopening, step_of, why_not
from desk.codes import OPEN_STATUSES, REOPENABLE, CallbackStatus
from desk.errors import CallbackOpen
from desk.models import CallbackAttempt, CallbackRequest
from desk.phones import international, masked
from desk.services.cases import subject_of
from desk.services.reopening import open_instead
from desk.windows import CUSTOMER_FROM, is_day
from tenants.audit import events_about
from tenants.staff import staff

_DAY, _WAIT = _("day"), _("Nobody is called before 09:00 there.")
_NOT_HELD = _("Claim it first: you do not have it, or not any more.")


class AttemptInline(admin.TabularInline):  # type: ignore[type-arg]
    model = CallbackAttempt
    extra = 0
    fields = readonly_fields = (
        "number", "agent", "started_at", "ended_at", "outcome", "note", "next_attempt_at", "counts",
    )  # fmt: skip
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Attempts are logged, not typed into a table."""
        return False


@admin.register(CallbackRequest)
class CallbackRequestAdmin(BulkActions, ReadOnlyAdmin):
    list_display = (
        "reference",
        "tenant",
        "language",
        "masked_phone",
        "their_time",
        "due_at",
        "state",
        "claimed_by",
        "attempts",
    )
    list_filter = (QueueFilter, "language")
    list_select_related = ("tenant", "claimed_by")
    search_fields = ("=reference", "tenant__search_key")
    show_full_result_count = False
    paginator = CappedPaginator
    change_form_template = "admin/desk/callbackrequest/change_form.html"
    change_list_template = "admin/desk/callbackrequest/change_list.html"
    object_history_template = "admin/desk/callbackrequest/history.html"
    inlines = (AttemptInline,)
    fields = (
        "reference", "tenant", "subscription", "state", "contact_name", "shown_phone", "shown_extension",
        "shown_as_typed", "phone_is_valid", "language", "their_time_and_place", "window_start", "window_end", "due_at", "next_attempt_at",
        "requested_at", "credit_from", "note", "claimed_by", "claim_expires_at", "last_outcome",
        "closed_at", "close_reason", "cancellation", "source",
    )  # fmt: skip

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """As the queue is worked off: by what was promised, then who waits longest. An index has this order."""
        return ("closed_at", "due_at", "requested_at", "pk")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CallbackRequest], search_term: str
    ) -> tuple[QuerySet[CallbackRequest], bool]:
        if not search_term:
            return queryset, False
        return search_queue(queryset, search_term).select_related(*self.list_select_related), False

    @admin.display(description=_("phone"))
    def masked_phone(self, row: CallbackRequest) -> str:
        """In lists nobody reads numbers over a shoulder."""
        return masked(row.phone)

    @admin.display(description=_("their time"))
    def their_time(self, row: CallbackRequest) -> str:
        """What their clock says, and whether it is day there: nobody is called at night."""
        zone, now = ZoneInfo(row.time_zone), timezone.now()
        clock = now.astimezone(zone).time()
        early = _("too early") if clock < CUSTOMER_FROM else _("too late")
        return f"{clock:%H:%M} · {_DAY if is_day(zone, now) else early}"

    @admin.display(description=_("their time"))
    def their_time_and_place(self, row: CallbackRequest) -> str:
        """The same, and where."""
        zone = ZoneInfo(row.time_zone)
        said = f"{self.their_time(row)} ({zone_name(zone)})"
        return said if is_day(zone, timezone.now()) else f"{said}. {_WAIT}"

    @admin.display(description=_("status"), ordering="status")
    def state(self, row: CallbackRequest) -> str:
        """As stored, but for a claim that ran out: who had it is in the column of the agent."""
        if row.status == CallbackStatus.CLAIMED and not row.is_claimed(timezone.now()):
            return str(_("claim ran out"))
        return row.get_status_display()

    def get_urls(self) -> list[URLPattern]:
        """Add the buttons and the forms."""
        view = self.admin_site.admin_view
        return [
            path("next/", view(require_POST(self.claim_next)), name="desk_callbackrequest_next"),
            path("due/", view(self.due), name="desk_callbackrequest_due"),
            path("reports/", view(self.reports), name="desk_callbackrequest_reports"),
            *(button(self, name, require_POST(self._pressing(does))) for name, does in BUTTONS.items()),
            *(button(self, name, require_POST(self._sending(name))) for name in FORMS),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """With the way to the next call, for who may work."""
        context = {
            **(extra_context or {}),
            "can_work": request.user.has_perm(WORK),
            "can_report": request.user.has_perm(REPORTS),
            "due": how_many_due(),
        }
        return super().changelist_view(request, context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the buttons that fit; the whole number only to the agent who has claimed it."""
        row = CallbackRequest.objects.filter(pk=whole_number(object_id) or 0).first()
        context = {**(extra_context or {}), **(self._case(request, row) if row else {})}
        return super().change_view(request, object_id, form_url, context)

    def _case(self, request: HttpRequest, row: CallbackRequest, bound: tuple[str, Any] | None = None) -> dict[str, Any]:
        """What the case page offers; ``bound`` is one that was not right."""
        is_open, mine = row.status in OPEN_STATUSES, is_claimed_by(row, request.user)
        working = request.user.has_perm(WORK) and is_open
        trail = events_about(row.tenant_id, subject_of(row.pk)).last()
        initial = {"seen": trail.position if trail else 0, "other_language": row.language}
        instead = open_instead(row) if row.status in REOPENABLE else None

        def form(name: str) -> Any:
            return bound[1] if bound and bound[0] == name else form_of(name, row, initial=initial)

        return {
            "can_work": working,
            "mine": mine,
            "at_night": working and mine and not is_day(ZoneInfo(row.time_zone), timezone.now()),
            "can_erase": request.user.has_perm(ERASE) and not is_open and row.erased_at is None,
            "close_form": form("close") if working and mine else None,
            "attempt_form": form("attempt") if working and mine else None,
            "move_form": form("move") if working and mine else None,
            "without_call_form": form("close_without_call") if may_close(row, request.user) else None,
            "hand_over_form": form("hand_over") if is_open and request.user.has_perm(HAND_OVER) else None,
            "reopen_form": form("reopen")
            if row.status in REOPENABLE and not instead and request.user.has_perm(reopening(row))
            else None,
            "open_instead": instead,
        }

    def get_readonly_fields(self, request: HttpRequest, obj: CallbackRequest | None = None) -> Any:
        """Bind the phone to who is looking."""
        mine = obj is not None and is_claimed_by(obj, request.user)

        @admin.display(description=_("phone"))
        def shown_phone(row: CallbackRequest) -> str:
            return international(row.phone) if mine else masked(row.phone)

        @admin.display(description=_("phone as typed"))
        def shown_as_typed(row: CallbackRequest) -> str:
            return row.phone_as_typed if mine else "-"

        @admin.display(description=_("extension"))
        def shown_extension(row: CallbackRequest) -> str:
            return row.phone_extension if mine else "-"

        bound = {"shown_phone": shown_phone, "shown_as_typed": shown_as_typed, "shown_extension": shown_extension}
        return [bound.get(name, name) for name in self.fields]

    def get_fields(self, request: HttpRequest, obj: CallbackRequest | None = None) -> Any:
        """The same, in the order of ``fields``."""
        return self.get_readonly_fields(request, obj)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What the audit trail says of it, read-only."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        changes = changes_of(list(events_about(row.tenant_id, subject_of(row.pk))))
        context = {
            **self.admin_site.each_context(request),
            "title": _("History"),
            "subtitle": row.reference,
            "opts": self.opts,
            "object": row,
            "changes": changes,
        }
        return TemplateResponse(request, self.object_history_template, context)

    def due(self, request: HttpRequest) -> HttpResponse:
        """How many calls are due, for a page that asks again and again."""
        staff(request, "desk.view_callbackrequest")
        return JsonResponse(how_many_due())

    def reports(self, request: HttpRequest) -> HttpResponse:
        """How well the desk keeps its promises."""
        return reports(self, request)

    def claim_next(self, request: HttpRequest) -> HttpResponse:
        """Take the one that should be called now."""
        found = steps.take_next(request)
        if found is None:
            messages.info(request, _("Nobody is to be called right now."))
            return redirect(LIST)
        messages.success(request, _("You have it for 20 minutes."))
        return redirect(CASE, found.pk)

    def _pressing(self, pressed: Button) -> Callable[[HttpRequest, int], HttpResponse]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            done = pressed.act(step_of(request, pressed.permission, pk))
            if done is None:
                messages.warning(request, pressed.refused(pk))
                return redirect(CASE, pk)
            messages.success(request, done)
            return redirect(pressed.leads_to, *([pk] if pressed.leads_to == CASE else []))

        return view

    def _sending(self, name: str) -> Callable[[HttpRequest, int], HttpResponse]:
        """Do what a form asks: what is wrong with it is said beside the field."""
        sent = FORMS[name]

        def view(request: HttpRequest, pk: int) -> HttpResponse:
            row = get_object_or_404(CallbackRequest, pk=pk)
            step = step_of(request, sent.may(row), pk)
            must_hold = sent.claimed and not (sent.supervisors_too and step.supervises)
            if must_hold and not is_claimed_by(row, step.user):
                return self._refused(request, pk, _NOT_HELD)
            form: Any = form_of(name, row, request.POST)
            if form.is_valid():
                try:
                    done = sent.act(replace(step, given=form.cleaned_data))
                except ChangedMeanwhile:
                    return self._overtaken(request, row, form.cleaned_data["seen"])
                except ExpectedError as error:
                    field = error.path[0] if error.path and error.path[0] in form.fields else None
                    form.add_error(field, _with_link(error))
                else:
                    if done is None:
                        return self._refused(request, pk, _NOT_HELD if sent.claimed else why_not(pk))
                    messages.success(request, done)
                    return redirect(CASE, pk) if sent.stays else redirect(LIST)
            return self._again(request, row, (name, form))

        return view

    def _again(self, request: HttpRequest, row: CallbackRequest, bound: tuple[str, Any]) -> HttpResponse:
        """The page of the case, with the form as it was typed. It is shown, so it is not a POST any more."""
        messages.error(request, _("That was not right: see below."))
        request.method = "GET"
        return super().change_view(request, str(row.pk), "", self._case(request, row, bound))

    @staticmethod
    def _refused(request: HttpRequest, pk: int, why: Any) -> HttpResponse:
        messages.warning(request, why)
        return redirect(CASE, pk)

    def _overtaken(self, request: HttpRequest, row: CallbackRequest, seen: int) -> HttpResponse:
        changes = changes_of(list(events_about(row.tenant_id, subject_of(row.pk), after=seen)))
        return changed_meanwhile(self, request, reverse(CASE, args=[row.pk]), changes)


def _with_link(error: ExpectedError) -> str:
    """The sentence, with the way to the request that it names."""
    sentence = error_message(error)
    if not isinstance(error, CallbackOpen):
        return sentence
    return format_html('<a href="{}">{}</a>', reverse(CASE, args=[error.callback]), sentence)
