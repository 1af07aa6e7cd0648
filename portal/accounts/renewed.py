"""Sessions and tokens that an older secret key made, taken over by the current one as they are used.

Django does so too, by giving the session another name, under which neither the tokens of a portal nor the other requests of
a page that is just loading find it. Here it keeps its name.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from contextlib import suppress

import jwt
from allauth.headless.internal.sessionkit import lookup_session
from allauth.headless.tokens.strategies.jwt.internal import session_key_to_sid
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session as StoredSession
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare

from tenants.models import User


class RenewedSessionsMiddleware:
    """Takes over the cookie's session before anybody asks who it is. One query more, while there are older keys."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.SECRET_KEY_FALLBACKS and settings.SESSION_COOKIE_NAME in request.COOKIES:
            _renew(request.session)
        return self.get_response(request)


def renewed_token(token: str) -> str:
    """The same token as the current key would have made it; as it is where no older key did. Renews its session, too."""
    algorithm = settings.HEADLESS_JWT_ALGORITHM
    for key in settings.SECRET_KEY_FALLBACKS:
        with suppress(jwt.PyJWTError, KeyError, ValueError):
            said = jwt.decode(token, key, algorithms=[algorithm], options={"verify_iss": False, "verify_aud": False})
            name = _session_key(said["sid"], key)
            _renew_stored(name)
            return jwt.encode({**said, "sid": session_key_to_sid(name)}, settings.SECRET_KEY, algorithm=algorithm)
    return token


def _session_key(sid: str, key: str) -> str:
    """What allauth hides in a token, which reads it with the current key only."""
    said = base64.b64decode(sid)
    cipher = Cipher(AES(hashlib.sha256(key.encode()).digest()), CTR(said[:16])).decryptor()
    return (cipher.update(said[16:]) + cipher.finalize()).decode()


def _renew_stored(name: str) -> None:
    """Under the lock of its row, as whoever refreshes tokens takes it."""
    with transaction.atomic():
        if StoredSession.objects.select_for_update().filter(session_key=name).exists():
            session = lookup_session(name)
            if session and _renew(session):
                session.save()


def _renew(session: SessionBase) -> bool:
    """Whether it was an older key's."""
    user = User.objects.filter(pk=session.get(SESSION_KEY, 0)).first()
    held = session.get(HASH_SESSION_KEY, "")
    if not user or not any(constant_time_compare(held, older) for older in user.get_session_auth_fallback_hash()):
        return False
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    return True
