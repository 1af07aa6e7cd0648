"""The tokens of people whose portal keeps them instead of a cookie."""

from __future__ import annotations

from allauth.core import context
from allauth.core.internal.httpkit import get_authorization_credential
from allauth.headless.tokens.strategies.jwt import internal as tokens
from allauth.headless.tokens.strategies.jwt.strategy import JWTTokenStrategy
from django.contrib.sessions.models import Session as StoredSession
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from portal.accounts.renewed import renewed_token
from tenants.models import SignIn, User
from tenants.security import SecurityEvent, person, say


class AppTokens(JWTTokenStrategy):  # type: ignore[misc]
    """Allauth's rotating tokens, found in the Authorization header alone, each refresh token good for one refresh.

    One that comes again was copied, and nobody knows whose the newer ones are: the session ends, and all of them with it.
    """

    def get_session_token(self, request: HttpRequest) -> str | None:
        """The session of a bearer token, never one named by its bare key."""
        token = get_authorization_credential(request, "Bearer")
        found = tokens.validate_access_token(renewed_token(token)) if token else None
        key: str | None = tokens.session_key_from_sid(found[1]["sid"]) if found else None
        return key

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        """Rotate under the lock of the session's row, so that two at once do not both get a pair.

        Whoever asked while it was good and only came second, as a second tab does, is refused and ends nothing.
        """
        refresh_token = renewed_token(refresh_token)
        payload = tokens.decode_token(refresh_token, "refresh")
        key = payload and tokens.session_key_from_sid(payload["sid"])
        if not key:
            return None
        came_second = tokens.validate_refresh_token(refresh_token) is not None
        with transaction.atomic():
            stored = StoredSession.objects.filter(session_key=key)
            if not stored.select_for_update().exists():
                return None
            pair: tuple[str, str] | None = super().refresh_token(refresh_token)
            if pair:
                SignIn.objects.filter(session_key=key).update(seen_at=timezone.now())
            elif not came_second:
                stored.delete()
                say(SecurityEvent.TOKEN_REUSED, context.request, who=person(int(payload["sub"])))
            return pair


def bears_token(request: HttpRequest) -> bool:
    """Whether the request speaks for itself, without the cookie."""
    return "Authorization" in request.headers


def person_of_token(token: str) -> User | None:
    """The person behind an access token, as long as the session lasts and the account is active."""
    found = tokens.validate_access_token(renewed_token(token))
    return found[0] if found and isinstance(found[0], User) else None
