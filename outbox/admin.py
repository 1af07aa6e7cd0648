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
from outbox.models import Effect
from outbox.queue import do_again
from tenants.staff import staff_caller


@admin.register(Effect)
class EffectAdmin(ReadOnlyAdmin):
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
    actions = ("do_again",)
    show_full_result_count = False

    @admin.action(description=_("Do again now"), permissions=["requeue"])
    def do_again(self, request: HttpRequest, queryset: QuerySet[Effect]) -> None:
        """Put the chosen effects back, also those that were given up. Mail that may have left is sent again."""
        caller, now = staff_caller(request), timezone.now()
        count = sum(do_again(effect=effect, caller=caller, language=active_language(), now=now) for effect in queryset)
        text = ngettext("%(count)d effect is done again.", "%(count)d effects are done again.", count)
        messages.success(request, text % {"count": count})

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Who may."""
        return request.user.has_perm("outbox.requeue_effect")
