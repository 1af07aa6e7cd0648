"""Prometheus metrics, for whoever holds the metrics token."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """404 without WAYOUT_METRICS_TOKEN, and for a request that does not bear it."""
    sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
    token = settings.WAYOUT_METRICS_TOKEN
    if not token or not hmac.compare_digest(sent.encode(), token.encode()):
        raise Http404
    response: HttpResponse = ExportToDjangoView(request)
    return response
