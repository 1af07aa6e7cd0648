"""Where facts come from, and the runs that brought them in: counts, what was left out, and conflicts, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from common.admin import ReadOnlyAdmin
from common.attention import Sign, shows_signs
from common.formatting import active_language
from common.messages import fill
from subscriptions.directory.report import SyncReport, problem_message
from subscriptions.directory.sharing import hand_over
from subscriptions.directory.work import resume_run
from subscriptions.errors import SyncRunning
from subscriptions.models import FactSource, License, SyncRun, SyncState
from tenants.staff import staff

RESUME, HAND_OVER = "subscriptions.resume_sync", "subscriptions.hand_over_source"


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "tenant", "source", "state", "dry_run", "rows", "left_out", "conflicts")
    list_filter = ("state", "dry_run")
    list_select_related = ("tenant", "source")
    search_fields = ("tenant__search_key", "tenant__external_id", "public_id")
    ordering = ("-pk",)
    fields = (
        "tenant",
        "source",
        "token",
        "state",
        "dry_run",
        "as_of",
        "sections",
        "progress",
        "created_at",
        "finished_at",
    )
    change_form_template = "admin/subscriptions/syncrun/change_form.html"

    @admin.display(description=_("rows left out"))
    def left_out(self, run: SyncRun) -> int:
        return int(run.report.get("left_out", 0))

    @admin.display(description=_("conflicts"))
    def conflicts(self, run: SyncRun) -> int:
        return int(run.report.get("numbers", {}).get("conflicts", 0))

    @admin.display(description=_("said to be complete"))
    def sections(self, run: SyncRun) -> str:
        return ", ".join(run.complete) or "–"

    @admin.display(description=_("progress"))
    def progress(self, run: SyncRun) -> str:
        values = {"rows": f"{run.rows:,}", "cursor": run.cursor, "pieces": run.pieces}
        return gettext("%(rows)s rows, %(cursor)s of %(pieces)s pieces applied") % values

    def get_urls(self) -> list[URLPattern]:
        resume = self.admin_site.admin_view(require_POST(self.resume))
        return [path("<key:pk>/resume/", resume, name="subscriptions_syncrun_resume"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With its report."""
        run: SyncRun | None = self.get_object(request, object_id)
        context = {
            **(extra_context or {}),
            "lists": list(_lists(SyncReport.from_json(run.report))) if run and run.report else [],
            "can_resume": run and run.state == SyncState.PAUSED and request.user.has_perm(RESUME),
        }
        return super().change_view(request, object_id, form_url, context)

    def resume(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Go on with a run that was paused."""
        _user, caller = staff(request, RESUME)
        run = get_object_or_404(SyncRun, pk=pk)
        try:
            resumed = resume_run(run=run, caller=caller, language=active_language(), now=timezone.now())
        except SyncRunning:
            messages.error(request, _("Another run of this customer is under way."))
        else:
            if resumed:
                messages.success(request, _("The worker goes on with it: look again in a minute."))
            else:
                messages.warning(request, _("It is not paused."))
        return redirect("admin:subscriptions_syncrun_change", pk)


def _lists(report: SyncReport) -> Iterator[tuple[str, list[tuple[str, str]], int]]:
    """What is counted, then each list with where it stands and what it says, and how many more there are."""
    counts = {
        _("rows"): report.rows, _("created"): report.created, _("changed"): report.changed,
        _("as before"): report.unchanged, _("older than what is known"): report.older,
        _("left out"): report.left_out, _("gone"): report.removed,
    }  # fmt: skip
    yield gettext("What became of it"), [(f"{count:,}", str(label)) for label, count in counts.items()], 0
    for title, problems, name in (
        (_("Left out"), report.problems, "problems"),
        (_("Said differently elsewhere"), report.conflicts, "conflicts"),
        (_("To know"), report.notes, "notes"),
    ):
        if problems:
            said = [(_where(problem.path, problem.line), problem_message(problem)) for problem in problems]
            yield str(title), said, report.numbers[name] - len(said)
    if report.questions:
        asked = [(name, str(count)) for name, count in report.questions.items()]
        yield gettext("Products that nobody knows, and how many hold them"), asked, 0


def _where(path: str, line: int | None) -> str:
    return gettext("%(path)s, line %(line)s") % {"path": path, "line": line} if line else path


@admin.register(FactSource)
class FactSourceAdmin(ReadOnlyAdmin):
    list_display = ("name", "tenant", "key")
    list_select_related = ("tenant",)
    search_fields = ("name", "tenant__search_key")
    ordering = ("tenant", "name")
    fields = ("tenant", "name", "key")
    change_form_template = "admin/subscriptions/factsource/change_form.html"

    def get_urls(self) -> list[URLPattern]:
        over = self.admin_site.admin_view(require_POST(self.hand_over))
        return [path("<key:pk>/hand-over/", over, name="subscriptions_factsource_hand_over"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With the other sources of the tenant, to whom its rows may go."""
        source: FactSource | None = self.get_object(request, object_id)
        others: QuerySet[FactSource] | tuple[()] = ()
        if source and request.user.has_perm(HAND_OVER):
            others = FactSource.objects.filter(tenant=source.tenant_id).exclude(pk=source.pk).order_by("name")
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "others": others})

    def hand_over(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Give all rows of this source to another of the same tenant."""
        _user, caller = staff(request, HAND_OVER)
        source = get_object_or_404(FactSource, pk=pk)
        chosen = request.POST.get("to", "")
        others = FactSource.objects.filter(tenant=source.tenant_id).exclude(pk=source.pk)
        to = get_object_or_404(others, pk=int(chosen) if chosen.isascii() and chosen.isdigit() else 0)
        count = hand_over(source=source, to=to, caller=caller, language=active_language(), now=timezone.now())
        values = {"count": f"{count:,}", "source": to.name}
        said = fill(gettext("%(count)s rows are now of %(source)s."), values)
        messages.success(request, said)
        return redirect("admin:subscriptions_factsource_change", pk)


@shows_signs("subscriptions.view_syncrun")
def _sync_signs() -> Iterator[Sign]:
    paused = SyncRun.objects.filter(state=SyncState.PAUSED).count()
    address = reverse("admin:subscriptions_syncrun_changelist")
    yield Sign(gettext("Runs that are paused"), paused, f"{address}?state__exact={SyncState.PAUSED}")


@shows_signs("subscriptions.view_license")
def _contradicted_signs() -> Iterator[Sign]:
    count = License.objects.filter(contradicted_at__isnull=False, is_direct=True).count()
    address = reverse("admin:subscriptions_license_changelist")
    yield Sign(gettext("Licenses removed here and still assigned"), count, f"{address}?contradicted=yes")
