"""What is refused before a view looks at it: one form for whoever asks, in their language."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.views.defaults import permission_denied

from portal.web.language import asked_language
from tenants.security import SecurityEvent, say

# What programs ask.
API = ("/graphql", "/portal/graphql", "/subgraph", SYNC := "/sync/")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's page for whoever may not see one, and a line in the log."""
    say(SecurityEvent.PAGE_REFUSED, request)
    return permission_denied(request, exception)


def refusal(request: HttpRequest, status: int, code: str, message: Any) -> HttpResponse:
    """JSON with a code for the API, the sentence alone for a page. ``message`` is translated here."""
    with translation.override(asked_language(request) or settings.LANGUAGE_CODE):
        said = str(message)
    if request.path.startswith(SYNC):
        problem = {"path": "", "line": None, "code": code, "message": said}
        return JsonResponse({"problems": [problem]}, status=status, json_dumps_params={"ensure_ascii": False})
    if request.path.startswith(API):
        error = {"message": said, "extensions": {"code": code, "path": []}}
        return JsonResponse({"errors": [error]}, status=status, json_dumps_params={"ensure_ascii": False})
    return HttpResponse(said, status=status, content_type="text/plain; charset=utf-8")
