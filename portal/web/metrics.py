"""Prometheus metrics, for whoever holds the metrics token."""

from __future__ import annotations

import hmac
from collections.abc import Iterator

from django.conf import settings
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from subscriptions.models import Reconciliation
from subscriptions.reconciliation.kinds import FindingKind


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """404 without WAYOUT_METRICS_TOKEN, and for a request that does not bear it."""
    sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
    token = settings.WAYOUT_METRICS_TOKEN
    if not token or not hmac.compare_digest(sent.encode(), token.encode()):
        raise Http404
    response: HttpResponse = ExportToDjangoView(request)
    response.content += generate_latest(_of_rows)
    return response


class _Reconciliation(Collector):
    """Of rows, so the same whichever process is asked. Nothing, while there was no run or the database is away."""

    def collect(self) -> Iterator[Metric]:
        try:
            last = Reconciliation.objects.telling_of_now().first()
        except DatabaseError:
            return
        if last is None:
            return
        assert last.finished_at
        age = GaugeMetricFamily("wayout_reconciliation_age_seconds", "Since the last reconciliation was finished.")
        age.add_metric([], (timezone.now() - last.finished_at).total_seconds())
        findings = GaugeMetricFamily(
            "wayout_reconciliation_findings", "What the last reconciliation found, by kind.", labels=["kind"]
        )
        for kind in FindingKind:
            findings.add_metric([kind.value], last.counts.get(kind.value, 0))
        yield from (age, findings)


# Apart from what a process counts by itself.
_of_rows = CollectorRegistry()
_of_rows.register(_Reconciliation())
