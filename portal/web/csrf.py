"""What a request without a valid CSRF token gets."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.csrf import csrf_failure

from common.errors import NotPermitted
from tenants.security import SecurityEvent, say


def refused(request: HttpRequest, reason: str = "") -> HttpResponse:
    """JSON with a code for the API, Django's page for people."""
    # What follows may be the address that somebody came from.
    say(SecurityEvent.FORM_REFUSED, request, reason=reason.partition(" - ")[0])
    if not request.path.startswith(("/graphql", "/portal/graphql")):
        return csrf_failure(request, reason=reason)
    said = _("The CSRF token is missing or wrong. Send the value of the cookie %(name)s as the X-CSRFToken header.")
    message = said % {"name": settings.CSRF_COOKIE_NAME}
    error = {"message": message, "extensions": {"code": NotPermitted.code}}
    return JsonResponse({"errors": [error]}, status=403)
