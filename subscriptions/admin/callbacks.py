"""The callback queue: claim, release, close."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from subscriptions import wording
from subscriptions.attempts import Outcome
from subscriptions.errors import SubscriptionError
from subscriptions.models import CallbackAttempt, CallbackDesk, CallbackRequest
from subscriptions.models.callbacks import DISPOSITIONS, OPEN_STATUSES, CallbackStatus, CloseReason
from subscriptions.phones import international, masked, read_phone
from subscriptions.selectors import desk
from subscriptions.services.callbacks import (
    claim_callback,
    claim_next,
    close_callback,
    erase_contact,
    log_attempt,
    release_callback,
)
from tenants.admin_base import FoldedSearch, ReadOnlyAdmin
from tenants.formatting import active_language
from tenants.models import LANGUAGES
from tenants.staff import button, staff

WORK = "subscriptions.work_callbacks"
ERASE = "subscriptions.erase_contact"


@admin.register(CallbackDesk)
class CallbackDeskAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("time_zone", "country", "opens_at", "closes_at", "window_capacity")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """There is one desk."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: CallbackDesk | None = None) -> bool:
        """There is one desk."""
        return False


class AttemptInline(admin.TabularInline):  # type: ignore[type-arg]
    model = CallbackAttempt
    extra = 0
    fields = readonly_fields = ("number", "agent", "ended_at", "outcome", "note", "next_attempt_at", "counts")
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Attempts are logged, not typed into a table."""
        return False


class OpenFilter(admin.SimpleListFilter):
    """Open ones unless asked for others."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """The choices besides the default."""
        return [
            ("mine", _("mine")), ("unclaimed", _("unclaimed")), ("overdue", _("overdue")), ("waiting", _("waiting")),
            ("unreachable", _("unreachable")), ("closed", _("closed")), ("all", _("all")),
        ]  # fmt: skip

    def choices(self, changelist: Any) -> Any:
        """Call the default what it is."""
        first, *others = super().choices(changelist)
        return [{**first, "display": _("open")}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[CallbackRequest]) -> QuerySet[CallbackRequest]:
        """Apply the choice. Waiting: nobody is to be called before a later time, or before the customer answers."""
        now, still_open = timezone.now(), queryset.filter(closed_at=None, status__in=OPEN_STATUSES)
        live = Q(claimed_by__isnull=False, claim_expires_at__gt=now)
        match self.value():
            case "mine":
                return still_open.filter(live, claimed_by=request.user.pk)
            case "unclaimed":
                return still_open.exclude(live)
            case "overdue":
                return still_open.filter(due_at__lt=now)
            case "waiting":
                return still_open.filter(Q(next_attempt_at=None) | Q(next_attempt_at__gt=now))
            case "unreachable":
                return still_open.filter(status=CallbackStatus.UNREACHABLE)
            case "all":
                return queryset
            case "closed":
                return queryset.exclude(status__in=OPEN_STATUSES)
            case _:
                return still_open


@admin.register(CallbackRequest)
class CallbackRequestAdmin(FoldedSearch, ReadOnlyAdmin):
    list_display = ("reference", "tenant", "language", "masked_phone", "due_at", "status", "claimed_by", "attempts")
    list_filter = (OpenFilter, "language")
    list_select_related = ("tenant", "claimed_by")
    search_fields = ("=reference", "tenant__search_key")
    show_full_result_count = False
    change_form_template = "admin/subscriptions/callbackrequest/change_form.html"
    change_list_template = "admin/subscriptions/callbackrequest/change_list.html"
    inlines = (AttemptInline,)
    fields = (
        "reference", "tenant", "subscription", "status", "contact_name", "shown_phone", "phone_extension",
        "phone_is_valid", "language", "time_zone", "window_start", "window_end", "due_at", "next_attempt_at",
        "requested_at", "credit_from", "note", "claimed_by", "claim_expires_at", "closed_at", "close_reason",
        "source",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[CallbackRequest]:
        """Due first, then the one that waits longest."""
        return super().get_queryset(request).order_by(F("due_at").asc(), "requested_at", "pk")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[CallbackRequest], search_term: str
    ) -> tuple[QuerySet[CallbackRequest], bool]:
        """By reference, folded name, or a number in any way it is typed."""
        found, duplicates = super().get_search_results(request, queryset, search_term)
        try:
            phone = read_phone(search_term, desk().country, [])
        except SubscriptionError:
            return found, duplicates
        return found | queryset.filter(phone=phone.e164), duplicates

    @admin.display(description=_("phone"))
    def masked_phone(self, row: CallbackRequest) -> str:
        """In lists nobody reads numbers over a shoulder."""
        return masked(row.phone)

    def get_urls(self) -> list[URLPattern]:
        """Add the buttons."""
        views = (
            ("claim", self.claim), ("release", self.release), ("close", self.close), ("attempt", self.attempt),
            ("erase", self.erase),
        )  # fmt: skip
        following = self.admin_site.admin_view(require_POST(self.claim_next))
        return [
            path("next/", following, name="subscriptions_callbackrequest_next"),
            *(button(self, name, require_POST(view)) for name, view in views),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """With the way to the next call, for who may work."""
        context = {**(extra_context or {}), "can_work": request.user.has_perm(WORK)}
        return super().changelist_view(request, context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Show the buttons that fit; the whole number only to the agent who has claimed it."""
        row = CallbackRequest.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        mine = row is not None and _is_claimed_by(row, request)
        context = {
            **(extra_context or {}),
            "can_work": request.user.has_perm(WORK) and row is not None and row.status in OPEN_STATUSES,
            "mine": mine,
            "can_erase": row is not None
            and request.user.has_perm(ERASE)
            and row.status not in OPEN_STATUSES
            and row.erased_at is None,
            "outcomes": [(o, label) for o, label in CallbackAttempt.OUTCOME_CHOICES if o != Outcome.RELEASED],
            "languages": LANGUAGES,
            "dispositions": [(r.value, dict(CallbackRequest.CLOSE_CHOICES)[r.value]) for r in DISPOSITIONS],
        }
        return super().change_view(request, object_id, form_url, context)

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

    def claim_next(self, request: HttpRequest) -> HttpResponse:
        """Take the one that should be called now."""
        agent, caller = staff(request, WORK)
        found = claim_next(agent=agent, caller=caller, language=active_language(), now=timezone.now())
        if found is None:
            messages.info(request, _("Nobody is to be called right now."))
            return redirect("admin:subscriptions_callbackrequest_changelist")
        messages.success(request, _("You have it for 20 minutes."))
        return redirect("admin:subscriptions_callbackrequest_change", found.pk)

    def attempt(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write down what came of dialing."""
        agent, caller = staff(request, WORK)
        given = request.POST.get("outcome", "")
        if given not in set(Outcome):
            messages.error(request, _("Choose what came of the call."))
            return redirect("admin:subscriptions_callbackrequest_change", pk)
        try:
            logged = log_attempt(
                agent=agent,
                caller=caller,
                callback_id=pk,
                outcome=Outcome(given),
                note=request.POST.get("note", ""),
                later=_later(request.POST.get("later", "")),
                other_language=request.POST.get("other_language", ""),
                language=active_language(),
                now=timezone.now(),
            )
        except SubscriptionError as error:
            messages.error(
                request,
                _("Later than now and within 30 days, please.")
                if "later" in error.path
                else wording.error_message(error),
            )
            return redirect("admin:subscriptions_callbackrequest_change", pk)
        if logged is None:
            messages.warning(request, _("Claim it first: you do not have it, or not any more."))
            return redirect("admin:subscriptions_callbackrequest_change", pk)
        messages.success(request, _("Noted: %(outcome)s.") % {"outcome": dict(CallbackAttempt.OUTCOME_CHOICES)[given]})
        return redirect("admin:subscriptions_callbackrequest_changelist")

    def erase(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Forget the contact before its time."""
        _user, caller = staff(request, ERASE)
        if erase_contact(caller=caller, callback_id=pk, language=active_language(), now=timezone.now()):
            messages.success(request, _("Name, number and notes are erased."))
        else:
            messages.warning(request, _("Only a closed request that was not erased yet can be erased."))
        return redirect("admin:subscriptions_callbackrequest_change", pk)

    def claim(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Take it for 20 minutes."""
        agent, caller = staff(request, WORK)
        won = claim_callback(agent=agent, caller=caller, callback_id=pk, language=active_language(), now=timezone.now())
        if won:
            messages.success(request, _("You have it for 20 minutes."))
        else:
            messages.warning(request, _taken(pk))
        return redirect("admin:subscriptions_callbackrequest_change", pk)

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
        return redirect("admin:subscriptions_callbackrequest_changelist")

    def close(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Close it with what came of the call."""
        agent, caller = staff(request, WORK)
        given = request.POST.get("disposition", "")
        if given not in set(DISPOSITIONS):
            messages.error(request, _("Choose what came of the call."))
            return redirect("admin:subscriptions_callbackrequest_change", pk)
        closed = close_callback(
            agent=agent,
            caller=caller,
            callback_id=pk,
            disposition=CloseReason(given),
            language=active_language(),
            now=timezone.now(),
        )
        if closed:
            messages.success(request, _("The request is closed."))
            return redirect("admin:subscriptions_callbackrequest_changelist")
        messages.warning(request, _("Claim it first: you do not have it, or not any more."))
        return redirect("admin:subscriptions_callbackrequest_change", pk)


def _later(text: str) -> datetime | None:
    """What a datetime-local field sends, in the zone of the page."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else timezone.make_aware(found)


def _is_claimed_by(row: CallbackRequest, request: HttpRequest) -> bool:
    return row.claimed_by_id == request.user.pk and row.is_claimed(timezone.now())


def _taken(pk: int) -> str:
    """Why the agent did not get it: somebody has it, or it is closed."""
    row = CallbackRequest.objects.filter(pk=pk).select_related("claimed_by").first()
    if row is None or row.status not in OPEN_STATUSES or row.claimed_by is None:
        return str(_("This request is not open any more, or not yours."))
    return str(_("%(agent)s has this request.") % {"agent": row.claimed_by.display_name})
