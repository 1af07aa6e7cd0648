"""Who is behind a request: the one place that reads tokens and sessions."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.http import HttpRequest

from portal.accounts.organization import person_of_organization
from portal.accounts.tokens import person_of_token
from tenants.callers import Caller
from tenants.models import User
from tenants.people import caller_of_person
from tenants.requests import from_request
from tenants.security import SecurityEvent, say
from tenants.tokens import PREFIX, caller_of_token, key_id_of
from tenants.vouching import PREFIX as SESSION_PREFIX
from tenants.vouching import caller_of_session


def identify(request: HttpRequest, now: datetime) -> Caller | None:
    """A token in the header, else the session's person; on the hosted page its own. A token never rides with a cookie."""
    caller = _caller(request, now)
    if caller:
        return from_request(caller, request)
    if "Authorization" in request.headers:
        say(SecurityEvent.BEARER_REFUSED, request, who=_named(request.headers["Authorization"]))
    return None


def page_cookie() -> str:
    """The name of the hosted page's cookie, which is sent to that page alone and not to the whole host."""
    return "__Secure-portal" if settings.COOKIE_PREFIX else "portal"


def is_hosted(request: HttpRequest) -> bool:
    """Whether it is of the page of people whom a host vouches for, where no other session counts."""
    return request.path_info.startswith("/portal/")


def _caller(request: HttpRequest, now: datetime) -> Caller | None:
    header = request.headers.get("Authorization")
    if header is None and is_hosted(request):
        return caller_of_session(request.COOKIES.get(page_cookie(), ""), now)
    if header is None:
        user = request.user
        return caller_of_person(user) if isinstance(user, User) and user.is_active else None
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer":
        return None
    if token.strip().startswith(PREFIX):
        return caller_of_token(token.strip(), now)
    if token.strip().startswith(SESSION_PREFIX):
        return caller_of_session(token.strip(), now)
    person = person_of_token(token.strip()) or person_of_organization(token.strip())
    return caller_of_person(person) if person else None


def _named(header: str) -> str:
    """A token of ours by its public part, which the admin lists; whatever else was sent may be a secret."""
    found = key_id_of(header.rpartition(" ")[2])
    return f"token:{found}" if found else ""
