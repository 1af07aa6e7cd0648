"""The outbox for staff: what waits, what was given up, and doing it again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from common.admin import ReadOnlyAdmin
from common.attention import Sign, shows_signs
from common.formatting import active_language
from common.outcomes import act_on_each
from outbox.attention import Attention, attention_of, counts, needing_attention
from outbox.models import Task
from outbox.queue import requeue_task
from tenants.staff import staff_caller


class AttentionFilter(admin.SimpleListFilter):
    """What does not get on, and why."""

    title = _("attention")
    parameter_name = "attention"
    ANY = "any"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(self.ANY, _("any of these")), *((kind.value, gettext(kind.label)) for kind in Attention)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Task]) -> QuerySet[Task]:
        chosen = self.value()
        if chosen == self.ANY:
            return queryset & needing_attention()
        return queryset & needing_attention(Attention(chosen)) if chosen in list(Attention) else queryset


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    list_display = ("key", "status", "waits_for", "run_at")
    list_filter = (AttentionFilter, "status", "lane", "kind")
    search_fields = ("key",)
    ordering = ("-pk",)
    fields = (
        "key",
        "kind",
        "lane",
        "status",
        "waits_for",
        "run_at",
        "failing_since",
        "failures",
        "outages",
        "crashes",
        "last_failure",
        "created_at",
        "finished_at",
    )
    actions = ("requeue",)
    show_full_result_count = False

    @admin.display(description=_("waits for"))
    def waits_for(self, task: Task) -> str:
        """Who has to do something, where it does not get on by itself, what it says, and since when."""
        kind = attention_of(task)
        if kind is None:
            return ""
        said = [gettext(kind.waits_for), task.last_failure]
        if task.failing_since:
            since = date_format(timezone.localtime(task.failing_since), "DATETIME_FORMAT")
            said.append(gettext("since %(since)s") % {"since": since})
        if task.tries:
            said.append(ngettext("tried %(count)d time", "tried %(count)d times", task.tries) % {"count": task.tries})
        return " · ".join(filter(None, said))

    @admin.action(description=_("Do again now"), permissions=["requeue"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """Put the chosen tasks back, also those that were given up. Mail that may have left is sent again."""
        caller, now = staff_caller(request), timezone.now()
        act_on_each(
            request,
            queryset,
            lambda task: requeue_task(task=task, caller=caller, language=active_language(), now=now),
            skipped=gettext("it is gone"),
            name=lambda task: task.key,
        )

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("outbox.requeue_task")


@shows_signs("outbox.view_task")
def _task_signs() -> Iterator[Sign]:
    address = reverse("admin:outbox_task_changelist")
    for kind, count in counts().items():
        yield Sign(gettext(kind.sign), count, f"{address}?{AttentionFilter.parameter_name}={kind.value}")
