"""A number for every request, and one line in the log for it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tenants.requests import REQUEST_ID

logger = structlog.get_logger("wayout.request")
HEADER = "Wayout-Request-Id"
# Where portal/asgi.py leaves the status that refuses a body, for portal/web/bodies.py.
BODY_REFUSED = "wayout.body_refused"


class RequestMiddleware:
    """Numbers requests. The number goes to the client, the log and the audit trail; nothing personal is logged."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, and say in one line what was answered: no query string, no name, no address."""
        number, started = uuid.uuid4().hex, time.perf_counter()
        request.META[REQUEST_ID] = number
        with structlog.contextvars.bound_contextvars(request_id=number):
            response = self.get_response(request)
            milliseconds = round((time.perf_counter() - started) * 1000, 1)
            route = request.resolver_match.route if request.resolver_match else ""
            logger.info(
                "request", method=request.method, route=route, status=response.status_code, milliseconds=milliseconds
            )
        response.headers[HEADER] = number
        return response
