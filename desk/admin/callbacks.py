"""The callback queue and its cases. Every change is a POST through a service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, cast
from zoneinfo import ZoneInfo

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from common.admin import CappedPaginator, Change, ReadOnlyAdmin, button, changed_meanwhile
from common.formatting import active_language, zone_name
from common.search import fold
from desk.admin.bulk import ERASE, HAND_OVER, BulkActions
from desk.admin.forms import (
    AttemptForm,
    CloseForm,
    CloseWithoutCallForm,
    HandOverForm,
    MoveForm,
    ReopenForm,
)
from desk.admin.reports import REPORTS, reports
from desk.models import OPEN_STATUSES, REOPENABLE, CallbackAttempt, CallbackQuerySet, CallbackRequest, CallbackStatus
from desk.phones import international, masked, read_phone
from desk.selectors import desk
from desk.services.callbacks import reschedule_callback, subject_of
from desk.services.desk import (
    claim_callback,
    claim_next,
    close_callback,
    close_without_call,
    due_now,
    erase_contact,
    log_attempt,
    open_instead,
    reassign_callback,
    release_callback,
    reopen_callback,
    to_be_called,
)
from desk.windows import CUSTOMER_FROM, is_day
from subscriptions import wording
from subscriptions.errors import CallbackOpen, ChangedMeanwhile, SubscriptionError
from tenants.audit import actor_names, events_about
from tenants.models import AuditEvent, Tenant
from tenants.staff import staff

WORK = "desk.work_callbacks"
_DAY, _WAIT = _("day"), _("Nobody is called before 09:00 there.")
# Counting further costs time and tells nobody more.
_COUNTED = 1000
_MOST_TENANTS, _MOST_FOUND = 200, 1000
_LIST = "admin:desk_callbackrequest_changelist"
_CASE = "admin:desk_callbackrequest_change"


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


class QueueFilter(admin.SimpleListFilter):
    """What is open and due, unless asked for others."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The choices besides the default."""
        return [
            ("mine", _("mine")), ("unclaimed", _("unclaimed")), ("overdue", _("overdue")), ("waiting", _("waiting")),
            ("unreachable", _("unreachable")), ("open", _("open")), ("closed", _("closed")), ("all", _("all")),
        ]  # fmt: skip

    def choices(self, changelist: Any) -> Any:
        """Call the default what it is."""
        first, *others = super().choices(changelist)
        return [{**first, "display": _("open and due")}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> QuerySet[CallbackRequest]:
        """Apply the choice. Waiting: nobody is to be called before a later time, or before the customer answers or wakes."""
        now, still_open = timezone.now(), cast(CallbackQuerySet, queryset).open()
        live = Q(claimed_by__isnull=False, claim_expires_at__gt=now)
        match self.value():
            case "mine":
                return still_open.filter(live, claimed_by=request.user.pk)
            case "unclaimed":
                return still_open.exclude(live)
            case "overdue":
                return still_open.filter(due_at__lt=now)
            case "waiting":
                return still_open.filter(Q(next_attempt_at=None) | ~to_be_called(now))
            case "unreachable":
                ran_out = Q(status=CallbackStatus.CLAIMED, waited_as=CallbackStatus.UNREACHABLE) & ~live
                return still_open.filter(Q(status=CallbackStatus.UNREACHABLE) | ran_out)
            case "open":
                return still_open
            case "all":
                return queryset
            case "closed":
                return queryset.exclude(status__in=OPEN_STATUSES)
            case _:
                return still_open.filter(to_be_called(now))


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
        "reference", "tenant", "subscription", "state", "contact_name", "shown_phone", "phone_extension",
        "phone_is_valid", "language", "their_time_and_place", "window_start", "window_end", "due_at", "next_attempt_at",
        "requested_at", "credit_from", "note", "claimed_by", "claim_expires_at", "closed_at", "close_reason",
        "source",
    )  # fmt: skip

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """As the queue is worked off: by what was promised, then who waits longest. An index has this order."""
        return ("closed_at", "due_at", "requested_at", "pk")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CallbackRequest], search_term: str
    ) -> tuple[QuerySet[CallbackRequest], bool]:
        """By reference, a number in any way it is typed, or the customer's name in either alphabet.

        One after the other: together they would read the whole table.
        """
        if not search_term:
            return queryset, False
        for found in self._by_key(queryset, search_term.strip()):
            if found.exists():
                return found, False
        # Looked up first, in no order: asked for all at once, a planner walks the whole queue in its order.
        tenants = Tenant.objects.filter(search_key__contains=fold(search_term)).values_list("pk", flat=True)
        theirs = CallbackRequest.objects.filter(tenant__in=list(tenants[:_MOST_TENANTS])).values_list("pk", flat=True)
        shown = queryset.order_by().filter(pk__in=list(theirs[:_MOST_FOUND])).values_list("pk", flat=True)
        found_keys = CallbackRequest.objects.filter(pk__in=list(shown)).select_related(*self.list_select_related)
        return found_keys.order_by(*queryset.query.order_by), False

    @staticmethod
    def _by_key(queryset: QuerySet[CallbackRequest], term: str) -> Iterator[QuerySet[CallbackRequest]]:
        yield queryset.filter(reference=term.upper())
        with suppress(SubscriptionError):
            yield queryset.filter(phone=read_phone(term, desk().country, []).e164)

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
        """Add the buttons."""
        views = (
            ("claim", self.claim), ("release", self.release), ("close", self.close), ("attempt", self.attempt),
            ("move", self.move), ("hand_over", self.hand_over), ("erase", self.erase),
            ("close_without_call", self.close_without_call), ("reopen", self.reopen),
        )  # fmt: skip
        view = self.admin_site.admin_view
        return [
            path("next/", view(require_POST(self.claim_next)), name="desk_callbackrequest_next"),
            path("due/", view(self.due), name="desk_callbackrequest_due"),
            path("reports/", view(self.reports), name="desk_callbackrequest_reports"),
            *(button(self, name, require_POST(view)) for name, view in views),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """With the way to the next call, for who may work."""
        context = {
            **(extra_context or {}),
            "can_work": request.user.has_perm(WORK),
            "can_report": request.user.has_perm(REPORTS),
            "due": _due(),
        }
        return super().changelist_view(request, context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the buttons that fit; the whole number only to the agent who has claimed it."""
        row = CallbackRequest.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        context = {**(extra_context or {}), **(self._case(request, row) if row else {})}
        return super().change_view(request, object_id, form_url, context)

    def _case(self, request: HttpRequest, row: CallbackRequest, bound: Any = None) -> dict[str, Any]:
        """What the case page offers; ``bound`` is a form that was not right."""
        is_open, mine = row.status in OPEN_STATUSES, _is_claimed_by(row, request)
        working = request.user.has_perm(WORK) and is_open
        trail = events_about(row.tenant_id, subject_of(row.pk)).last()
        initial = {"seen": trail.position if trail else 0, "other_language": row.language}
        instead = open_instead(row) if row.status in REOPENABLE else None

        def form(kind: Any, **given: Any) -> Any:
            if isinstance(bound, kind):
                return bound
            # Several forms stand on one page: each has ids of its own.
            return kind(initial=initial, auto_id=f"id_{kind.__name__.lower()}_%s", **given)

        return {
            "can_work": working,
            "mine": mine,
            "at_night": working and mine and not is_day(ZoneInfo(row.time_zone), timezone.now()),
            "can_erase": request.user.has_perm(ERASE) and not is_open and row.erased_at is None,
            "close_form": form(CloseForm) if working and mine else None,
            "attempt_form": form(AttemptForm) if working and mine else None,
            "move_form": form(MoveForm, request=row) if working and mine else None,
            "without_call_form": form(CloseWithoutCallForm) if _may_close(row, request) else None,
            "hand_over_form": form(HandOverForm) if is_open and request.user.has_perm(HAND_OVER) else None,
            "reopen_form": form(ReopenForm, request=row) if _may_reopen(row, request) and not instead else None,
            "open_instead": instead,
        }

    def get_readonly_fields(self, request: HttpRequest, obj: CallbackRequest | None = None) -> Any:
        """Bind the phone to who is looking."""
        mine = obj is not None and _is_claimed_by(obj, request)

        @admin.display(description=_("phone"))
        def shown_phone(row: CallbackRequest) -> str:
            return international(row.phone) if mine else masked(row.phone)

        return [shown_phone if name == "shown_phone" else name for name in self.fields]

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
        return JsonResponse(_due())

    def reports(self, request: HttpRequest) -> HttpResponse:
        """How well the desk keeps its promises."""
        return reports(self, request)

    def claim_next(self, request: HttpRequest) -> HttpResponse:
        """Take the one that should be called now."""
        agent, caller = staff(request, WORK)
        found = claim_next(agent=agent, caller=caller, language=active_language(), now=timezone.now())
        if found is None:
            messages.info(request, _("Nobody is to be called right now."))
            return redirect(_LIST)
        messages.success(request, _("You have it for 20 minutes."))
        return redirect(_CASE, found.pk)

    def claim(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take it for 20 minutes."""
        agent, caller = staff(request, WORK)
        won = claim_callback(agent=agent, caller=caller, callback_id=pk, language=active_language(), now=timezone.now())
        if won:
            messages.success(request, _("You have it for 20 minutes."))
        else:
            messages.warning(request, _taken(pk))
        return redirect(_CASE, pk)

    def release(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give it back."""
        agent, caller = staff(request, WORK)
        released = release_callback(
            agent=agent, caller=caller, callback_id=pk, language=active_language(), now=timezone.now()
        )
        if released:
            messages.success(request, _("It is back in the queue."))
        else:
            messages.warning(request, _taken(pk))
        return redirect(_LIST)

    def close(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Close it with what came of the call."""
        agent, caller = staff(request, WORK)
        form = CloseForm(request.POST, auto_id="id_closeform_%s")

        def act() -> str | None:
            closed = close_callback(
                agent=agent,
                caller=caller,
                callback_id=pk,
                disposition=form.reason(),
                seen=form.cleaned_data["seen"],
                language=active_language(),
                now=timezone.now(),
            )
            return str(_("The request is closed.")) if closed else None

        return self._with(form, act, request, pk)

    def close_without_call(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Close it although nobody spoke with the customer, and tell them or not."""
        agent, caller = staff(request, WORK)
        form = CloseWithoutCallForm(request.POST, auto_id="id_closewithoutcallform_%s")
        supervising = request.user.has_perm(HAND_OVER)

        def act() -> str | None:
            closed = close_without_call(
                agent=agent,
                caller=caller,
                callback_id=pk,
                disposition=form.reason(),
                tell=form.cleaned_data["tell"],
                supervising=supervising,
                seen=form.cleaned_data["seen"],
                language=active_language(),
                now=timezone.now(),
            )
            return str(_("The request is closed.")) if closed else None

        return self._with(form, act, request, pk, claimed=not supervising)

    def reopen(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Put a request that is over back into the queue."""
        row = get_object_or_404(CallbackRequest, pk=pk)
        # What asked not to be called is for supervisors.
        _agent, caller = staff(request, HAND_OVER if row.status == CallbackStatus.DO_NOT_CALL else WORK)
        form = ReopenForm(request.POST, request=row, auto_id="id_reopenform_%s")

        def act() -> str:
            reopen_callback(
                caller=caller,
                callback_id=pk,
                reason=form.cleaned_data["reason"],
                phone=form.cleaned_data.get("phone", ""),
                contact_name=form.cleaned_data.get("contact_name", ""),
                may_lift=request.user.has_perm(HAND_OVER),
                seen=form.cleaned_data["seen"],
                language=active_language(),
                now=timezone.now(),
            )
            return str(_("It is open again. Credit counts from the same day as before."))

        return self._with(form, act, request, pk, stay=True, claimed=False)

    def attempt(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write down what came of dialing."""
        agent, caller = staff(request, WORK)
        form = AttemptForm(request.POST, auto_id="id_attemptform_%s")

        def act() -> str | None:
            logged = log_attempt(
                agent=agent,
                caller=caller,
                callback_id=pk,
                language=active_language(),
                now=timezone.now(),
                **form.cleaned_data,
            )
            outcome = dict(CallbackAttempt.OUTCOME_CHOICES)[form.cleaned_data["outcome"]]
            return str(_("Noted: %(outcome)s.") % {"outcome": outcome}) if logged else None

        return self._with(form, act, request, pk)

    def move(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Call in another window, or at another number."""
        _agent, caller = staff(request, WORK)
        row = get_object_or_404(CallbackRequest, pk=pk)
        form = MoveForm(request.POST, request=row, auto_id="id_moveform_%s")

        def act() -> str | None:
            reschedule_callback(
                caller=caller,
                callback_id=pk,
                phone=form.cleaned_data["phone"] or None,
                window_start=form.cleaned_data["window"],
                seen=form.cleaned_data["seen"],
                language=active_language(),
                now=timezone.now(),
            )
            return str(_("The call was moved. Release it, so that it is offered when it is due."))

        return self._with(form, act, request, pk, stay=True)

    def hand_over(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give it to an agent, whoever has it."""
        _supervisor, caller = staff(request, HAND_OVER)
        form = HandOverForm(request.POST, auto_id="id_handoverform_%s")

        def act() -> str | None:
            to = form.cleaned_data["agent"]
            moved = reassign_callback(
                to=to, caller=caller, callback_id=pk, language=active_language(), now=timezone.now()
            )
            return str(_("%(agent)s has it now.") % {"agent": to.display_name}) if moved else _taken(pk)

        return self._with(form, act, request, pk, stay=True, claimed=False)

    def erase(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Forget the contact before its time."""
        _user, caller = staff(request, ERASE)
        if erase_contact(caller=caller, callback_id=pk, language=active_language(), now=timezone.now()):
            messages.success(request, _("Name, number and notes are erased."))
        else:
            messages.warning(request, _("Only a closed request that was not erased yet can be erased."))
        return redirect(_CASE, pk)

    def _with(
        self,
        form: Any,
        act: Callable[[], str | None],
        request: HttpRequest,
        pk: int,
        *,
        stay: bool = False,
        claimed: bool = True,
    ) -> HttpResponse:
        """Do what a form of the case page asks: what is wrong with it is said beside the field."""
        row = get_object_or_404(CallbackRequest, pk=pk)
        if claimed and not _is_claimed_by(row, request):
            return self._not_held(request, pk)
        if form.is_valid():
            try:
                done = act()
            except ChangedMeanwhile:
                return self._overtaken(request, row, form.cleaned_data["seen"])
            except SubscriptionError as error:
                field = error.path[0] if error.path and error.path[0] in form.fields else None
                form.add_error(field, _with_link(error))
            else:
                if done is None:
                    return self._not_held(request, pk)
                messages.success(request, done)
                return redirect(_CASE, pk) if stay else redirect(_LIST)
        messages.error(request, _("That was not right: see below."))
        # The page of the case, with the form as it was typed. It is shown, so it is not a POST any more.
        request.method = "GET"
        return super().change_view(request, str(pk), "", self._case(request, row, form))

    @staticmethod
    def _not_held(request: HttpRequest, pk: int) -> HttpResponse:
        messages.warning(request, _("Claim it first: you do not have it, or not any more."))
        return redirect(_CASE, pk)

    def _overtaken(self, request: HttpRequest, row: CallbackRequest, seen: int) -> HttpResponse:
        changes = changes_of(list(events_about(row.tenant_id, subject_of(row.pk), after=seen)))
        return changed_meanwhile(self, request, reverse(_CASE, args=[row.pk]), changes)


def changes_of(events: list[AuditEvent]) -> list[Change]:
    """The trail in words. Two queries at most."""
    names = actor_names(events)
    return [Change(event.at, names[event.actor_kind, event.actor_id], _said_of(event)) for event in events]


def _said_of(event: AuditEvent) -> str:
    said, reason = wording.event_name(event.action), event.data.get("reason")
    return f"{said}: {reason}" if reason else said


def _with_link(error: SubscriptionError) -> str:
    """The sentence, with the way to the request that it names."""
    sentence = wording.error_message(error)
    if not isinstance(error, CallbackOpen):
        return sentence
    return format_html('<a href="{}">{}</a>', reverse(_CASE, args=[error.data["callback"]]), sentence)


def _due() -> dict[str, Any]:
    count = due_now(timezone.now())[: _COUNTED + 1].count()
    shown = f"{_COUNTED}+" if count > _COUNTED else str(count)
    return {
        "count": count,
        "text": ngettext("%(count)s call is due", "%(count)s calls are due", count) % {"count": shown},
    }


def _may_close(row: CallbackRequest, request: HttpRequest) -> bool:
    """Whether they may close it without a call: their own, or for supervisors any that no other agent has."""
    if row.status not in OPEN_STATUSES or not request.user.has_perm(WORK):
        return False
    free = not row.is_claimed(timezone.now()) and request.user.has_perm(HAND_OVER)
    return free or _is_claimed_by(row, request)


def _may_reopen(row: CallbackRequest, request: HttpRequest) -> bool:
    """Agents may; what asked not to be called, supervisors alone."""
    permission = HAND_OVER if row.status == CallbackStatus.DO_NOT_CALL else WORK
    return row.status in REOPENABLE and request.user.has_perm(permission)


def _is_claimed_by(row: CallbackRequest, request: HttpRequest) -> bool:
    return row.claimed_by_id == request.user.pk and row.is_claimed(timezone.now())


def _taken(pk: int) -> str:
    """Why the agent did not get it: somebody has it, or it is closed."""
    row = CallbackRequest.objects.filter(pk=pk).select_related("claimed_by").first()
    if row is None or row.status not in OPEN_STATUSES or row.claimed_by is None:
        return str(_("This request is not open any more, or not yours."))
    return str(_("%(agent)s has this request.") % {"agent": row.claimed_by.display_name})
