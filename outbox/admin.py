"""The outbox for staff: what waits, what was given up, and doing it again."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common.admin import ReadOnlyAdmin
from common.formatting import active_language
from outbox.models import Task
from outbox.queue import requeue_task
from tenants.staff import staff_caller


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    list_display = (
        "key",
        "status",
        "run_at",
        "failures",
        "outages",
        "crashes",
        "last_failure",
        "created_at",
        "finished_at",
    )
    list_filter = ("status", "kind")
    search_fields = ("key",)
    ordering = ("-pk",)
    fields = ("key", "kind", *list_display[1:])
    actions = ("requeue",)
    show_full_result_count = False

    @admin.action(description=_("Do again now"), permissions=["requeue"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        """Put the chosen tasks back, also those that were given up. Mail that may have left is sent again."""
        caller, now = staff_caller(request), timezone.now()
        count = sum(requeue_task(task=task, caller=caller, language=active_language(), now=now) for task in queryset)
        text = ngettext("%(count)d task is done again.", "%(count)d tasks are done again.", count)
        messages.success(request, text % {"count": count})

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("outbox.requeue_task")
