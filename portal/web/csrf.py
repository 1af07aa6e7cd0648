"""What a request without a valid CSRF token gets."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.csrf import csrf_failure

from common.errors import NotPermitted


def refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """JSON with a code for the API, Django's page for people."""
    if not request.path.startswith("/graphql"):
        return csrf_failure(request, reason=reason)
    message = _("The CSRF token is missing or wrong. Send the csrftoken cookie's value as the X-CSRFToken header.")
    error = {"message": message, "extensions": {"code": NotPermitted.code}}
    return JsonResponse({"errors": [error]}, status=403)
