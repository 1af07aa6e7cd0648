"""Runs of reconciliation: what each found, what to do about it, and a way to the page of what it is about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from common.admin import ReadOnlyAdmin
from common.attention import Sign, shows_signs
from common.formatting import active_language, format_date
from subscriptions.models import Reconciliation
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from subscriptions.reconciliation.runs import start_by_staff
from tenants.staff import staff

START = "subscriptions.start_reconciliation"


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "standing", "total", "new", "calls")
    ordering = ("-pk",)
    fields = ("standing", "started_at", "finished_at", "since", "until", "scheduled", "total", "new", "calls")
    change_list_template = "admin/subscriptions/reconciliation/change_list.html"
    change_form_template = "admin/subscriptions/reconciliation/change_form.html"

    @admin.display(description=_("standing"))
    def standing(self, run: Reconciliation) -> str:
        """Whether it is done, and who is waited for."""
        if run.finished_at:
            return gettext("finished")
        silent: dict[str, list[str]] = run.cursor.get("silent", {})
        if silent:
            said = ", ".join(f"{name}: {reason}" for name, (_until, reason) in silent.items())
            return gettext("under way, waits for %(providers)s") % {"providers": said}
        return gettext("under way")

    @admin.display(description=_("findings"))
    def total(self, run: Reconciliation) -> int:
        """Of all kinds, also those that are only counted."""
        return run.count

    def get_urls(self) -> list[URLPattern]:
        start = self.admin_site.admin_view(require_POST(self.start))
        return [path("start/", start, name="subscriptions_reconciliation_start"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """With a button for one more run."""
        return super().changelist_view(request, {**(extra_context or {}), "can_start": request.user.has_perm(START)})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With its findings, by kind, as this person may look at what they are about."""
        run: Reconciliation | None = self.get_object(request, object_id)
        found = [finding for said in run.findings if (finding := Finding.of_json(said))] if run else []
        context = {
            **(extra_context or {}),
            "kinds": [_of_kind(request, kind, found) for kind in FindingKind if run and kind in run.counts],
            "left_out": run.count - len(run.findings) if run else 0,
        }
        return super().change_view(request, object_id, form_url, context)

    def start(self, request: HttpRequest) -> HttpResponse:
        """Have the worker do one now."""
        _user, caller = staff(request, START)
        if start_by_staff(caller=caller, language=active_language(), now=timezone.now()):
            messages.success(request, _("It is done by the worker: look again in a minute."))
        else:
            messages.warning(request, _("One is under way."))
        return redirect("admin:subscriptions_reconciliation_changelist")


def _of_kind(request: HttpRequest, kind: FindingKind, found: list[Finding]) -> dict[str, Any]:
    app, _sep, model = kind.about.page.partition("_")
    may_look = bool(model) and request.user.has_perm(f"{app}.view_{model}")
    of_kind = [finding for finding in found if finding.kind is kind]
    return {
        "what_to_do": gettext(kind.do),
        "lines": [(str(finding), finding.address if may_look else "") for finding in of_kind],
    }


@shows_signs("subscriptions.view_reconciliation")
def _reconciliation_signs() -> Iterator[Sign]:
    last = Reconciliation.objects.telling_of_now().first()
    if last:
        label = gettext("Findings of the reconciliation of %(day)s")
        day = format_date(last.started_at, get_current_timezone())
        address = reverse("admin:subscriptions_reconciliation_change", args=[last.pk])
        yield Sign(label % {"day": day}, last.count, address)
