"""The tokens of people whose portal keeps them instead of a cookie."""

from __future__ import annotations

from allauth.headless.tokens.strategies.jwt import internal as tokens
from allauth.headless.tokens.strategies.jwt.strategy import JWTTokenStrategy
from django.contrib.sessions.models import Session as StoredSession
from django.db import transaction
from django.http import HttpRequest

from tenants.models import User


class AppTokens(JWTTokenStrategy):  # type: ignore[misc]
    """Allauth's rotating tokens, found in the Authorization header alone, each refresh token good for one refresh."""

    def get_session_token(self, request: HttpRequest) -> str | None:
        """The session of a bearer token, never one named by its bare key."""
        payload = self._get_access_token(request)
        key: str | None = tokens.session_key_from_sid(payload["sid"]) if payload else None
        return key

    def refresh_token(self, refresh_token: str) -> tuple[str, str] | None:
        """Rotate under the lock of the session's row, so that two at once do not both get a pair."""
        payload = tokens.decode_token(refresh_token, "refresh")
        key = payload and tokens.session_key_from_sid(payload["sid"])
        with transaction.atomic():
            if not key or not StoredSession.objects.select_for_update().filter(session_key=key).exists():
                return None
            pair: tuple[str, str] | None = super().refresh_token(refresh_token)
            return pair


def bears_token(request: HttpRequest) -> bool:
    """Whether the request speaks for itself, without the cookie."""
    return "Authorization" in request.headers


def person_of_token(token: str) -> User | None:
    """The person behind an access token, as long as the session lasts and the account is active."""
    found = tokens.validate_access_token(token)
    return found[0] if found and isinstance(found[0], User) else None
