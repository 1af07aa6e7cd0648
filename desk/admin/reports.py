"""The reports of the callback desk: tables with their definitions, bars beside them, the same numbers as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from common.exports import csv_response
from common.languages import language_choices
from common.whole_numbers import whole_number
from desk.models import CallbackRequest
from desk.reports import AGES, DeskReport, Share, Span, report
from tenants.staff import staff

REPORTS = "desk.view_reports"
DAYS = (1, 7, 30, 90)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Row:
    """A label, what is said, and the number behind it (hours, percent or a count); None where there is none."""

    label: str
    said: str
    number: float | None
    bar: int = 0


@dataclass(frozen=True, slots=True)
class ReportTable:
    """One question with its answer."""

    title: str
    definition: str
    rows: Sequence[Row]


def reports(model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    """The page, or the file with ``?format=csv``."""
    staff(request, REPORTS)
    asked, now = whole_number(request.GET.get("days", "")), timezone.now()
    days = asked if asked in DAYS else DAYS[1]
    found = report(now - timedelta(days=days), now)
    tables = [_with_bars(table) for table in _tables(found)]
    if request.GET.get("format") == "csv":
        rows = ((table.title, row.label, row.number) for table in tables for row in table.rows)
        return csv_response(f"callback-desk-{days}-days.csv", (_("report"), _("line"), _("number")), rows)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Reports"),
        "opts": CallbackRequest._meta,
        "tables": tables,
        "days": days,
        "spans": [(n, ngettext("%(count)d day", "%(count)d days", n) % {"count": n}) for n in DAYS],
        "requests": found.requests,
    }
    return TemplateResponse(request, "admin/desk/callbackrequest/reports.html", context)


def _tables(found: DeskReport) -> Iterator[ReportTable]:
    yield ReportTable(
        _("Time to the first call"),
        _("From the request until an agent claimed it and called; half and nine of ten were faster. Office: only"
          " while the desk was open."),
        [*_span_rows(found.first_attempt, ""), *_span_rows(found.first_attempt_open, _("office"))],
    )  # fmt: skip
    yield ReportTable(
        _("Called as promised"),
        _("Of the requests whose time has come: the first call was inside the chosen window, or within the promised"
          " business hours."),
        [_share_row(_("in time"), found.within_promise)],
    )  # fmt: skip
    yield ReportTable(
        _("Reached"),
        _("Of the first, second and third calls: the customer answered."),
        [_share_row(_("call %(number)d") % {"number": n}, share) for n, share in enumerate(found.reached, 1)],
    )
    online = Share(found.abandoned_online, found.abandoned.whole)
    withdrawn = Share(found.abandoned.part - found.abandoned_online, found.abandoned.whole)
    yield ReportTable(
        _("Not waited for"),
        _("Of all requests: over before the first call, because they were solved online or withdrawn."),
        [_share_row(_("solved online"), online), _share_row(_("withdrawn"), withdrawn)],
    )
    yield from _loads(found)


def _loads(found: DeskReport) -> Iterator[ReportTable]:
    yield ReportTable(
        _("Unreachable"),
        _("Of all requests: three calls that count and nobody answered."),
        [_share_row(_("unreachable"), found.unreachable)],
    )
    yield ReportTable(
        _("When they ask"),
        _("Requests by the hour, in the desk's time."),
        [_count_row(f"{hour:02d}:00", found.by_hour.get(hour, 0)) for hour in range(24)],
    )
    yield ReportTable(
        _("Open by age"),
        _("Requests that are open now, by the time since they came in."),
        [_count_row(label, count) for label, count in zip(_ages(), found.backlog_by_age, strict=True)],
    )
    yield ReportTable(
        _("Open by language"),
        _("Requests that are open now, by the language of the call."),
        [_count_row(str(name), found.backlog_by_language.get(code, 0)) for code, name in language_choices()],
    )


def _span_rows(span: Span, which: str) -> list[Row]:
    names = ((_("median"), span.median), (_("nine of ten"), span.ninetieth))
    return [
        Row(
            f"{name}, {which}" if which else name, _duration(time), round(time / _HOUR, 2) if time is not None else None
        )
        for name, time in names
    ]


def _share_row(label: str, share: Share) -> Row:
    said = _("%(percent)s%% (%(part)d of %(whole)d)") % {
        "percent": share.percent, "part": share.part, "whole": share.whole,
    }  # fmt: skip
    return Row(label, said if share.whole else _("none"), share.percent)


def _count_row(label: str, count: int) -> Row:
    return Row(label, str(count), count)


def _ages() -> list[str]:
    up_to = [ngettext("up to %(count)d day", "up to %(count)d days", n) % {"count": n} for n in AGES]
    return [*up_to, _("longer")]


def _duration(span: timedelta | None) -> str:
    if span is None:
        return _("none")
    hours, minutes = divmod(span // timedelta(minutes=1), 60)
    return _("%(hours)d h %(minutes)02d min") % {"hours": hours, "minutes": minutes}


def _with_bars(table: ReportTable) -> ReportTable:
    """Bars from 0 to 200, the longest for the largest number."""
    highest = max((row.number or 0 for row in table.rows), default=0) or 1
    rows = [Row(row.label, row.said, row.number, round(200 * (row.number or 0) / highest)) for row in table.rows]
    return ReportTable(table.title, table.definition, rows)
