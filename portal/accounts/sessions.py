"""How long somebody stays signed in: until they rest for too long, and never longer than a day's or a month's work.

The row of a session ends when its limits say, so that whoever asks for it (a cookie, an access token, a refresh token) is
refused by one and the same look at it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends import db
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from tenants.models import SignIn, User

_BEGAN, _SEEN, _STAFF = "wayout.began", "wayout.seen", "wayout.staff"
# Seconds. Each request would write, otherwise: a session that is used ends this much early at most.
_STEP = 300


def limits_of(*, staff: bool) -> tuple[float, float]:
    """How long they may rest, and how long they stay at the most, in seconds."""
    idle, longest = settings.WAYOUT_SESSION_LIMITS["staff" if staff else "people"]
    return idle, longest


class SessionStore(db.SessionStore):
    """Django's, whose rows end with the limits of whoever is signed in, whoever saves them."""

    def get_expiry_age(self, **kwargs: Any) -> int:
        """Seconds."""
        idle, longest = limits_of(staff=self.get(_STAFF, False))
        now = timezone.now().timestamp()
        return max(0, int(min(idle, self.get(_BEGAN, now) + longest - now)))

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        return timezone.now() + timedelta(seconds=self.get_expiry_age())

    def save(self, must_create: bool = False) -> None:
        """One from before there were limits begins now."""
        self.setdefault(_BEGAN, timezone.now().timestamp())
        super().save(must_create)

    def cycle_key(self) -> None:
        """Under its new key it is the same in the list."""
        before = self.session_key
        super().cycle_key()
        SignIn.objects.filter(session_key=before).update(session_key=self.session_key)


class SessionsMiddleware:
    """Notes that a session was used, once in a while."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        # What failed is not followed by one more look at a database that is away.
        if response.status_code < 500 and request.session.accessed and SESSION_KEY in request.session:
            _note_use(request, timezone.now())
        return response


def _note_use(request: HttpRequest, now: datetime) -> None:
    # Of who was deactivated there is a session, and nobody in it.
    if isinstance(request.user, User) and now.timestamp() - request.session.get(_SEEN, 0) > _STEP:
        _note(request, request.user, now)


@receiver(user_logged_in)
def _signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    now = timezone.now()
    request.session[_BEGAN] = now.timestamp()
    _note(request, user, now)


def _note(request: HttpRequest, user: User, now: datetime) -> None:
    session = request.session
    session[_SEEN], session[_STAFF] = now.timestamp(), user.is_staff
    if not session.session_key:
        session.save()
    values = {"user": user, "seen_at": now}
    new = {**values, "began_at": now, "browser": browser_in_words(request.headers.get("User-Agent", ""))}
    SignIn.objects.update_or_create(session_key=session.session_key, defaults=values, create_defaults=new)


# What each calls itself; a browser also names those that it is like, so the first that fits is it.
_BROWSERS = {
    "Edg": "Edge", "OPR": "Opera", "SamsungBrowser": "Samsung Internet", "Firefox": "Firefox", "FxiOS": "Firefox",
    "Chrome": "Chrome", "CriOS": "Chrome", "Version": "Safari",
}  # fmt: skip
_SYSTEMS = {
    "iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Windows": "Windows", "CrOS": "ChromeOS", "Mac OS": "macOS",
    "Linux": "Linux",
}  # fmt: skip


def browser_in_words(agent: str) -> str:
    """Names that people know, as “Firefox, Windows”; empty for what is no browser that we know."""
    browser = next((name for word, name in _BROWSERS.items() if re.search(rf"{word}[A-Za-z]*/", agent)), "")
    system = next((name for word, name in _SYSTEMS.items() if word in agent), "")
    return ", ".join(filter(None, (browser, system))) if browser else ""
