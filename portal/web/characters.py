"""NUL: no name has it, PostgreSQL keeps it nowhere, and whoever sends it tries what happens."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _

from common.errors import InputInvalid
from portal.web.refusals import refusal

_NUL = "\x00"
_NOT_KEPT = _("The text holds a character that cannot be kept. Nothing was changed.")


class CharactersMiddleware:
    """An address with NUL is nobody's; in the admin, whose buttons are no forms of Django's, neither is a value."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Pass on: what is asked for is known later."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        """Refuse, or let the view answer."""
        if _NUL in request.path:
            raise Http404
        match = request.resolver_match
        if match and match.app_name == "admin":
            sent = chain.from_iterable(chain(request.GET.lists(), request.POST.lists()))
            if any(_NUL in text for texts in sent for text in texts):
                return refusal(request, 400, InputInvalid.code, _NOT_KEPT)
        return None
