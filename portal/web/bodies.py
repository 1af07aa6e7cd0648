"""Bodies that the server did not take (portal/asgi.py): here, so that the answer has our headers and is in the log."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from common.errors import InputInvalid
from portal.web.refusals import refusal
from portal.web.requests import BODY_REFUSED

_REFUSALS = {
    HTTPStatus.REQUEST_TIMEOUT: ("TIMEOUT", _("The body did not arrive in time. Nothing was changed.")),
    HTTPStatus.LENGTH_REQUIRED: (InputInvalid.code, _("Say how long the body is, in Content-Length.")),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (InputInvalid.code, _("The body is too large.")),
    HTTPStatus.SERVICE_UNAVAILABLE: ("OVERLOADED", _("Too many documents are being sent. Try again in a minute.")),
}
# Seconds; what the sentence says.
_RETRY_AFTER = 60


class BodyMiddleware:
    """Answers requests whose body was not taken."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Say what was wrong with the body, or pass on."""
        status = request.META.get(BODY_REFUSED)
        if status is None:
            return self.get_response(request)
        response = refusal(request, status, *_REFUSALS[status])
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            response["Retry-After"] = str(_RETRY_AFTER)
        return response
