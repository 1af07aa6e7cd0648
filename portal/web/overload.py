"""More than a process can do at once is refused at once, so that what it does accept stays fast."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.translation import gettext as _

from portal.web.language import asked_language

# Seconds a request may wait for its turn, and what who is refused is told to wait.
_PATIENCE, _RETRY_AFTER = 0.25, 2
_NEVER_REFUSED = ("/healthz/", "/metrics")


class OverloadMiddleware:
    """Lets WAYOUT_AT_ONCE requests in; the others wait a moment for their turn and are then refused with a code."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._turns = threading.BoundedSemaphore(settings.WAYOUT_AT_ONCE)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, or refuse."""
        if request.path.startswith(_NEVER_REFUSED):
            return self.get_response(request)
        if not self._turns.acquire(timeout=_PATIENCE):
            return _refusal(request)
        try:
            return self.get_response(request)
        finally:
            self._turns.release()


def _refusal(request: HttpRequest) -> HttpResponse:
    with translation.override(asked_language(request) or settings.LANGUAGE_CODE):
        message = _("There is more to do here than we can at the moment. Nothing was changed. Try again in a moment.")
    response: HttpResponse
    if request.path.startswith(("/graphql", "/subgraph")):
        error = {"message": message, "extensions": {"code": "OVERLOADED", "path": []}}
        response = JsonResponse({"errors": [error]}, status=503, json_dumps_params={"ensure_ascii": False})
    else:
        response = HttpResponse(message, status=503, content_type="text/plain; charset=utf-8")
    response["Retry-After"] = str(_RETRY_AFTER)
    return response
