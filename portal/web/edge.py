"""What has to hold whatever stands in front of us: one spelling of our host, and what never leaves HTTPS."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from portal.web.refusals import API, refusal

_BY_HTTPS = _(
    "Ask by HTTPS: whatever this request had in it could be read on its way, a token too. Replace that token."
)


class EdgeMiddleware:
    """Writes the Host header in lower case, without the last dot, and without a port that is not ours.

    Django checks the name alone: whoever asks for a mail could have its links lead to another port. And what is sent by
    HTTPS says of its cookies that they stay there, whoever sees to it that everybody comes by HTTPS.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if said := request.META.get("HTTP_HOST"):
            request.META["HTTP_HOST"] = host_of(said, request.META.get("SERVER_PORT", ""))
        # Programs would follow a redirect, every time, and nobody would notice.
        if settings.SECURE_SSL_REDIRECT and request.path.startswith(API) and not request.is_secure():
            return refusal(request, 403, "HTTPS_REQUIRED", _BY_HTTPS)
        response = self.get_response(request)
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response


def host_of(said: str, listening: str) -> str:
    """``said`` as links may say it: with its port where the server listens there, or WAYOUT_HOSTS names it."""
    name, colon, port = said.lower().rpartition(":")
    if not colon or said.endswith("]"):
        name, port = said.lower(), ""
    name = name.removesuffix(".")
    ours = port == listening or f"{name}:{port}" in settings.WAYOUT_HOSTS
    return f"{name}:{port}" if port and ours else name
