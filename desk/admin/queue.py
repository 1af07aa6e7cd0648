"""The queue: which requests a list shows, how they are found, and how many are due."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common.errors import ExpectedError
from common.search import fold
from desk.codes import OPEN_STATUSES, CallbackStatus
from desk.models import CallbackQuerySet, CallbackRequest
from desk.phones import read_phone
from desk.selectors import desk, due_now, to_be_called
from tenants.models import Tenant

# Counting further costs time and tells nobody more.
_COUNTED = 1000
_MAX_TENANTS, _MAX_FOUND = 200, 1000


class QueueFilter(admin.SimpleListFilter):
    """What is open and due, unless asked for others."""

    title = _("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
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


def search_queue(queryset: QuerySet[CallbackRequest], term: str) -> QuerySet[CallbackRequest]:
    """By reference, a number in any way it is typed, or the customer's name in either alphabet.

    One after the other: together they would read the whole table.
    """
    for found in _by_key(queryset, term.strip()):
        if found.exists():
            return found
    # Looked up first, in no order: asked for all at once, a planner walks the whole queue in its order.
    tenants = Tenant.objects.filter(search_key__contains=fold(term)).values_list("pk", flat=True)
    theirs = CallbackRequest.objects.filter(tenant__in=list(tenants[:_MAX_TENANTS])).values_list("pk", flat=True)
    shown = queryset.order_by().filter(pk__in=list(theirs[:_MAX_FOUND])).values_list("pk", flat=True)
    return CallbackRequest.objects.filter(pk__in=list(shown)).order_by(*queryset.query.order_by)


def _by_key(queryset: QuerySet[CallbackRequest], term: str) -> Iterator[QuerySet[CallbackRequest]]:
    yield queryset.filter(reference=term.upper())
    with suppress(ExpectedError):
        yield queryset.filter(phone=read_phone(term, desk().country, []).e164)


def how_many_due() -> dict[str, Any]:
    """The number of calls that are due, and a sentence that says it."""
    count = due_now(timezone.now())[: _COUNTED + 1].count()
    shown = f"{_COUNTED}+" if count > _COUNTED else str(count)
    return {
        "count": count,
        "text": ngettext("%(count)s call is due", "%(count)s calls are due", count) % {"count": shown},
    }
