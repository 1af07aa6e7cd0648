"""More than a process can do at once is refused at once, so that what it does accept stays fast."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from portal.web.refusals import refusal

# Seconds a request may wait for its turn, and what who is refused is told to wait.
_TIMEOUT, _RETRY_AFTER = 0.25, 2
_NEVER_REFUSED = ("/healthz/", "/metrics")
_FULL = _("There is more to do here than we can at the moment. Nothing was changed. Try again in a moment.")


@cache
def _turns() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(settings.WAYOUT_MAX_CONCURRENCY)


def has_a_turn() -> bool:
    """Whether a request would be let in now, or within the moment that one may wait."""
    free = _turns().acquire(timeout=_TIMEOUT)
    if free:
        _turns().release()
    return free


class OverloadMiddleware:
    """Lets WAYOUT_MAX_CONCURRENCY requests in; the others wait a moment for their turn and are then refused with a code."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith(_NEVER_REFUSED):
            return self.get_response(request)
        if not _turns().acquire(timeout=_TIMEOUT):
            response = refusal(request, 503, "OVERLOADED", _FULL)
            response["Retry-After"] = str(_RETRY_AFTER)
            return response
        try:
            return self.get_response(request)
        finally:
            _turns().release()
