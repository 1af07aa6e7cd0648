"""Send a document to the engine as a door does, and see what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import time_machine
from django.db import transaction

from subscriptions.directory import runs, work
from subscriptions.directory.reading import Document, lines_of
from subscriptions.directory.report import SyncReport
from subscriptions.models import License, Subscription, SyncRun
from tenants.models import Tenant
from tenants.people import SYSTEM
from tests.builders import NOW


def body(document: Mapping[str, Any], *, in_lines: bool = False) -> bytes:
    """A document as bytes: one JSON value, or a line for each row."""
    if not in_lines:
        return json.dumps(document).encode()
    head = {name: value for name, value in document.items() if not isinstance(value, list) or name == "complete"}
    rows = [
        {name: row}
        for name, value in document.items()
        if isinstance(value, list) and name != "complete"
        for row in value
    ]
    return b"\n".join(json.dumps(line).encode() for line in [head, *rows, {"rows": len(rows) + ("tenant" in head)}])


def send(
    tenant: Tenant, document: Mapping[str, Any], *, source: str = "host", dry_run: bool = False, in_lines: bool = False,
    now: datetime = NOW,
) -> SyncReport:  # fmt: skip
    """Apply a short document; its report."""
    document = {"asOf": now.isoformat(), **document}
    with time_machine.travel(now, tick=False), transaction.atomic():
        run = open_run(tenant, source=source, dry_run=dry_run, in_lines=in_lines, now=now)
        read = Document(lines_of([body(document, in_lines=in_lines)]), in_lines, ZoneInfo(tenant.time_zone))
        report = runs.sync_now(run, read, caller=SYSTEM, now=now)
        transaction.set_rollback(dry_run)
    assert report.rows == report.created + report.changed + report.unchanged + report.older + report.left_out
    return report


def open_run(tenant: Tenant, *, source: str = "host", dry_run: bool = False, in_lines: bool, now: datetime) -> SyncRun:
    """A run of a source, as a door opens it."""
    from_whom = runs.source_of(tenant, source, source.title())
    return runs.open_run(source=from_whom, token_id=None, dry_run=dry_run, now=now, is_ndjson=in_lines)


def send_long(
    tenant: Tenant, document: Mapping[str, Any], *, source: str = "host", dry_run: bool = False, now: datetime = NOW
) -> SyncRun:
    """Keep a document and work on it as the worker does; its run."""
    document = {"asOf": now.isoformat(), **document}
    with time_machine.travel(now, tick=False):
        run = open_run(tenant, source=source, dry_run=dry_run, in_lines=True, now=now)
        work.receive(run, [body(document, in_lines=True)], now)
        work.work_on(run.pk, caller_of=lambda _run: SYSTEM, until=now.replace(year=2099))
    run.refresh_from_db()
    return run


def codes(found: Iterable[Any]) -> list[str]:
    return [str(problem.code) for problem in found]


def holders(tenant: Tenant) -> dict[str, int]:
    """How many hold a license of each subscription, by the rows."""
    return {
        s.external_id: License.objects.held().filter(subscription=s).count()
        for s in Subscription.objects.filter(tenant=tenant).order_by("external_id")
    }
