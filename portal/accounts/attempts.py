"""How often somebody may try to get into an account: five times, then ever more rarely, whether there is one or not.

Counted is for the account, whatever names, hosts and addresses the tries come from. A browser in which the person signed
in before has a count of its own, so that strangers who try shut nobody out of where they work.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from allauth.headless.constants import Client
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.core import signing
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

from common.errors import RateLimited
from common.messages import error_message
from common.rates import count_in, forget_count, time_left
from tenants.models import User
from tenants.requests import RETRY_AFTER
from tenants.security import SecurityEvent, say

FREE = 5
# Seconds: what follows the fifth failure, which doubles with each one more.
_FIRST_WAIT, _LONGEST_WAIT = 30, 900
_COUNTED_FOR = 6 * 3600
_KEPT_FOR, _ACCOUNTS = 365 * 86400, 10
_COOKIE, _SALT = f"{settings.COOKIE_PREFIX}wayout_browser", "wayout_browser"
_SIGNED_IN = "wayout.signed_in"


def begin_attempt(who: str) -> bool:
    """Count one try before it is made, so that many at once are no first ones; whether it is the last that is free.

    Raises RateLimited.
    """
    name = _hashed(who)
    if left := time_left("turn", name):
        raise RateLimited(retry_after=left)
    count, _open = count_in(_COUNTED_FOR, "attempts", name)
    if count >= FREE:
        taken, left = count_in(min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (count - FREE)), "turn", name)
        if taken > 1:
            raise RateLimited(retry_after=left)
    return count == FREE


def forget_attempts(who: str) -> None:
    """Whoever got in begins anew."""
    name = _hashed(who)
    forget_count("turn", name)
    forget_count("attempts", name)


def begin_in_form(request: HttpRequest, who: str, said: str) -> bool:
    """As begin_attempt, for a form that says why. ``said``: whom the log calls it. Raises ValidationError."""
    try:
        return begin_attempt(who)
    except RateLimited as refused:
        request.META[RETRY_AFTER] = refused.retry_after
        say(SecurityEvent.SIGN_IN_DELAYED, request, who=said)
        raise ValidationError(error_message(refused), code="too_many_login_attempts") from refused


def who_tries(request: HttpRequest, account: int | None, name: str = "") -> str:
    """Whose count it is: the account's in a browser that knows it, the account's, or that of a name that is nobody's."""
    if account is None:
        return f"name {name.casefold()}"
    browser, accounts = _known(request)
    return f"account {account} {browser if account in accounts else ''}"


@receiver(user_logged_in)
def _signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    # A portal that keeps tokens has no cookies of ours.
    headless = getattr(getattr(request, "allauth", None), "headless", None)
    if headless is None or headless.client != Client.APP:
        request.META[_SIGNED_IN] = user.pk


class AttemptsMiddleware:
    """Remembers a browser in which somebody signed in, and says when to try again."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        account, seconds = request.META.get(_SIGNED_IN), request.META.get(RETRY_AFTER)
        if account is not None:
            _remember(request, response, account)
        if seconds is not None:
            response.headers["Retry-After"] = str(seconds)
            if response.headers.get("Content-Type", "").startswith("text/html"):
                response.status_code = 429
        return response


def _known(request: HttpRequest) -> tuple[str, list[int]]:
    """The browser, and the accounts that signed in there."""
    try:
        said = signing.loads(request.COOKIES.get(_COOKIE, ""), salt=_SALT, max_age=_KEPT_FOR)
    except signing.BadSignature:
        return "", []
    return said["browser"], said["accounts"]


def _remember(request: HttpRequest, response: HttpResponseBase, account: int) -> None:
    browser, accounts = _known(request)
    kept = [account, *(other for other in accounts if other != account)][:_ACCOUNTS]
    said = signing.dumps({"browser": browser or secrets.token_hex(16), "accounts": kept}, salt=_SALT)
    secure = settings.SESSION_COOKIE_SECURE
    response.set_cookie(_COOKIE, said, max_age=_KEPT_FOR, secure=secure, httponly=True, samesite="Lax")


def _hashed(who: str) -> str:
    """A name that is typed is somebody's: the store of counts does not learn it."""
    return salted_hmac("wayout.attempts", who, algorithm="sha256").hexdigest()
