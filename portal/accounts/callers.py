"""Who is behind a request: the one place that reads tokens and sessions."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpRequest

from portal.accounts.organization import person_of_organization
from portal.accounts.tokens import person_of_token
from tenants.callers import Caller
from tenants.models import User
from tenants.people import caller_of_person
from tenants.requests import from_request
from tenants.tokens import PREFIX, caller_of_token


def identify(request: HttpRequest, now: datetime) -> Caller | None:
    """A token in the header, else the session's person. A token never rides with a cookie."""
    caller = _caller(request, now)
    return from_request(caller, request) if caller else None


def _caller(request: HttpRequest, now: datetime) -> Caller | None:
    header = request.headers.get("Authorization")
    if header is None:
        user = request.user
        return caller_of_person(user) if isinstance(user, User) and user.is_active else None
    kind, _, token = header.partition(" ")
    if kind.lower() != "bearer":
        return None
    if token.strip().startswith(PREFIX):
        return caller_of_token(token.strip(), now)
    person = person_of_token(token.strip()) or person_of_organization(token.strip())
    return caller_of_person(person) if person else None
