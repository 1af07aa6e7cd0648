"""Allauth's headless views, asked in process: its sign-in and its limits, whatever asks."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.headless.base.views import APIView
from allauth.headless.constants import Client
from allauth.headless.internal.authkit import authentication_context
from allauth.headless.internal.decorators import mark_request_as_headless
from django.http import HttpRequest

from common.errors import CharactersInvalid, RateLimited
from portal.accounts.errors import SessionEnded
from tenants.models import User
from tenants.requests import RETRY_AFTER

# Allauth counts in minutes and does not say when one is over.
_WINDOW = 60


@dataclass(frozen=True, slots=True)
class FlowResponse:
    """What one of allauth's headless views said. ``errors``: the first sentence about each parameter."""

    status: int
    errors: Mapping[str, str]
    data: Mapping[str, Any]
    meta: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in now, and until when. Tokens only for a portal that keeps them instead of the cookie."""

    user: User
    expires_at: datetime
    access_token: str | None = None
    refresh_token: str | None = None


class Flow:
    """Allauth's headless views, asked in process on one caller's session."""

    def __init__(self, request: HttpRequest, *, by_token: bool) -> None:
        self.request = request
        self.by_token = by_token

    def ask(self, view: type[APIView], method: str = "POST", **given: str) -> FlowResponse:
        """Let the view answer as if ``given`` had been its JSON body.

        Raises RateLimited, and InputInvalid for half a character.
        """
        require_whole(given)
        asked = copy.copy(self.request)
        asked.method, asked._body = method, json.dumps(given).encode()
        try:
            response = view.as_view(client=Client.APP if self.by_token else Client.BROWSER)(asked)
        except ImmediateHttpResponse as immediate:
            response = immediate.response
        self.request.user, self.request.session = asked.user, asked.session
        if seconds := self.request.META.pop(RETRY_AFTER, None):
            raise RateLimited(retry_after=seconds)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimited(retry_after=_WINDOW)
        body = json.loads(response.content) if response["Content-Type"].startswith("application/json") else {}
        errors = {error.get("param", ""): error["message"] for error in reversed(body.get("errors", []))}
        return FlowResponse(response.status_code, errors, body.get("data", {}), body.get("meta") or {})

    def session(self, pair: Mapping[str, Any]) -> Session:
        """The session as it now is, with the tokens of ``pair`` if there are any."""
        user = self.request.user
        assert isinstance(user, User)
        expires_at = self.request.session.get_expiry_date()
        return Session(user, expires_at, pair.get("access_token"), pair.get("refresh_token"))


@contextmanager
def flow_of(request: HttpRequest, *, by_token: bool) -> Iterator[Flow]:
    """Work on the cookie's session, or on that of a portal that keeps tokens (a new one without a token)."""
    mark_request_as_headless(request, Client.APP if by_token else Client.BROWSER)
    try:
        with authentication_context(request) if by_token else nullcontext():
            yield Flow(request, by_token=by_token)
    except ImmediateHttpResponse:
        raise SessionEnded from None
    finally:
        del request.allauth.headless  # type: ignore[attr-defined]


def require_whole(given: Mapping[str, str]) -> None:
    """Raise InputInvalid for half a character: JSON can hold one, no account, database or hash can."""
    for name, said in given.items():
        try:
            said.encode()
        except UnicodeEncodeError:
            first, *others = name.split("_")
            raise CharactersInvalid(first + "".join(map(str.title, others))) from None
