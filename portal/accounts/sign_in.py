"""How people come in: by django-allauth, with accounts that staff make, or by their organization's own sign-in."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any

import requests
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.forms import ResetPasswordForm
from allauth.account.internal.stagekit import clear_login
from allauth.account.utils import filter_users_by_email, filter_users_by_username
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal.httpkit import HTTP_USER_AGENT_MAX_LENGTH
from allauth.headless import app_settings
from allauth.headless.account.inputs import RequestPasswordResetInput
from allauth.headless.account.views import (
    ChangePasswordView,
    LoginView,
    RequestPasswordResetView,
    ResetPasswordView,
    SessionView,
)
from allauth.headless.base.views import APIView
from allauth.headless.constants import Client
from allauth.headless.internal.authkit import authentication_context
from allauth.headless.internal.decorators import mark_request_as_headless
from allauth.headless.mfa.views import AuthenticateView
from allauth.headless.tokens.strategies.jwt import internal as tokens
from allauth.headless.tokens.strategies.jwt.strategy import JWTTokenStrategy
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.contrib import messages
from django.contrib.sessions.models import Session as StoredSession
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from common.outbound import session
from portal.accounts.mail import RESET, ask_for_mail
from portal.accounts.organization import account_of
from subscriptions.errors import InputInvalid, RateLimited, SubscriptionError
from tenants.models import User
from tenants.requests import address


class SignInFailed(SubscriptionError):
    """The name, the password or the code is wrong: never told which, nor whether there is such an account."""

    code = "SIGN_IN_FAILED"


class SecondFactorRequired(SubscriptionError):
    """The password is right; the account asks for a code as well."""

    code = "SECOND_FACTOR_REQUIRED"


class AlreadySignedIn(SubscriptionError):
    """Somebody is signed in in this session."""

    code = "ALREADY_SIGNED_IN"


class SessionEnded(SubscriptionError):
    """There is no session to go on with: it ended, or its refresh token was used."""

    code = "SESSION_ENDED"


class ResetKeyInvalid(SubscriptionError):
    """The key of a reset link that is unknown, used, or too old."""

    code = "RESET_KEY_INVALID"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up by themselves: an account comes with a role in a tenant. Mail is left to the worker."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Closed."""
        return False

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Tell a person what changed in the account, and from where."""
        facts = {
            "ip": self.get_client_ip(self.request),
            "user_agent": self.get_http_user_agent(self.request)[:HTTP_USER_AGENT_MAX_LENGTH],
            **(context or {}),
        }
        ask_for_mail(self.request, template_prefix, to=user, facts={name: str(said) for name, said in facts.items()})

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """No other mail is asked for: it would wait for the mail server, and could hold secrets until then."""
        raise LookupError(template_prefix)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that the audit trail has, too."""
        return address(request)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """One count for an account, under whichever of its names. Allauth's own has the Host that the client sent."""
        name = credentials.get("email") or credentials.get("username", "")
        accounts = [*filter_users_by_username(name), *filter_users_by_email(name)]
        return f"account {min(account.pk for account in accounts)}" if accounts else f"name {name.casefold()}"


class SignInBackend(AuthenticationBackend):  # type: ignore[misc]
    """Hashes a password once for an account, however many of the names that were typed are its own.

    Allauth's tries a typed address as a name, too, and hashes for each that it finds: the time of an answer would tell
    whether there is such an account.
    """

    def __init__(self) -> None:
        self._tried: set[int] = set()

    def _check_password(self, user: User | None, password: str) -> User | None:
        if user is None or user.pk in self._tried:
            return None
        self._tried.add(user.pk)
        found: User | None = super()._check_password(user, password)
        return found


class ResetForm(ResetPasswordForm):  # type: ignore[misc]
    """Asks for a link, in as much time whether there is such an account or not."""

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Leave the rest to the worker."""
        address: str = self.cleaned_data["email"]
        for whom in self.users or [address]:
            ask_for_mail(request, RESET, to=whom)
        return address


class _ResetInput(ResetForm, RequestPasswordResetInput):  # type: ignore[misc]
    pass


class _RequestResetView(RequestPasswordResetView):  # type: ignore[misc]
    input_class = _ResetInput


class OrganizationAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Signs in the account that staff made for the address which the organization vouches for; makes none."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Closed here too."""
        return False

    def get_requests_session(self) -> requests.Session:
        """The sign-in waits for the organization's server: five seconds a call, however it answers."""
        return session(super().get_requests_session())

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Connect the one active account with a verified address of the provider; say so when there is none."""
        if sociallogin.is_existing:
            return
        verified = [address.email for address in sociallogin.email_addresses if address.verified]
        if account := account_of(verified[0]) if verified else None:
            sociallogin.connect(request, account)
            return
        messages.error(request, _("There is no account here for this sign-in. Ask whoever runs this portal for one."))
        raise ImmediateHttpResponse(redirect("account_login"))


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


@dataclass(frozen=True, slots=True)
class Answer:
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

    def ask(self, view: type[APIView], method: str = "POST", **given: str) -> Answer:
        """Let the view answer as if ``given`` had been its JSON body.

        Raises RateLimited, and InputInvalid for half a character.
        """
        _require_whole(given)
        asked = copy.copy(self.request)
        asked.method, asked._body = method, json.dumps(given).encode()
        try:
            response = view.as_view(client=Client.APP if self.by_token else Client.BROWSER)(asked)
        except ImmediateHttpResponse as immediate:
            response = immediate.response
        self.request.user, self.request.session = asked.user, asked.session
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimited
        body = json.loads(response.content) if response["Content-Type"].startswith("application/json") else {}
        errors = {error.get("param", ""): error["message"] for error in reversed(body.get("errors", []))}
        return Answer(response.status_code, errors, body.get("data", {}), body.get("meta") or {})

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


def sign_in(request: HttpRequest, name: str, password: str, code: str | None, *, by_token: bool) -> Session:
    """Sign in with everything at once; a name with an @ is an address.

    Raises AlreadySignedIn, SignInFailed (whatever was wrong, also an account that is not there),
    SecondFactorRequired (the password was right), RateLimited.
    """
    try:
        _require_whole({"name": name, "password": password, "code": code or ""})
    except InputInvalid:
        raise SignInFailed from None
    with flow_of(request, by_token=by_token) as flow:
        answer = flow.ask(LoginView, **{"email" if "@" in name else "username": name}, password=password)
        if answer.status == HTTPStatus.CONFLICT:
            raise AlreadySignedIn
        if any(asked["id"] == "mfa_authenticate" and asked.get("is_pending") for asked in answer.data.get("flows", [])):
            if code:
                answer = flow.ask(AuthenticateView, code=code)
            clear_login(request)
            if not code:
                raise SecondFactorRequired("code")
        if answer.status != HTTPStatus.OK:
            raise SignInFailed
        return flow.session(answer.meta)


def sign_out(request: HttpRequest) -> None:
    """End the session of the cookie or the token; nothing happens where there is none. Raises RateLimited."""
    with suppress(SessionEnded), flow_of(request, by_token=bears_token(request)) as flow:
        flow.ask(SessionView, "DELETE")


def refresh_session(request: HttpRequest, refresh_token: str | None) -> Session:
    """Two new tokens for a refresh token, which then is used up; without one, the cookie's session starts anew.

    Raises SessionEnded.
    """
    if refresh_token is None:
        if not isinstance(request.user, User) or bears_token(request):
            raise SessionEnded
        request.session.cycle_key()
        return Flow(request, by_token=False).session({})
    if not refresh_token.isascii():
        raise SessionEnded("refreshToken")
    pair = app_settings.TOKEN_STRATEGY.refresh_token(refresh_token)
    found = pair and tokens.validate_access_token(pair[0])
    if not found:
        raise SessionEnded("refreshToken")
    user, payload = found
    expires_at = tokens.get_token_session(payload).get_expiry_date()
    return Session(user, expires_at, *pair)


def request_password_reset(request: HttpRequest, email: str) -> None:
    """Send a link to the address, or a note that there is no such account: the answer is the same.

    Raises InputInvalid for what is no address, RateLimited.
    """
    with flow_of(request, by_token=False) as flow:
        if sentence := flow.ask(_RequestResetView, email=email).errors.get("email"):
            raise InputInvalid("email", sentence=sentence)


def reset_password(request: HttpRequest, key: str, password: str) -> None:
    """Set a new password by the key of the link; every session of the person ends.

    Raises ResetKeyInvalid (unknown, used, too old), InputInvalid for a password that is too weak, RateLimited.
    """
    with flow_of(request, by_token=False) as flow:
        errors = flow.ask(ResetPasswordView, key=key, password=password).errors
    if "key" in errors:
        raise ResetKeyInvalid("key")
    if sentence := errors.get("password"):
        raise InputInvalid("password", sentence=sentence)


def change_password(request: HttpRequest, current: str, new: str) -> Session:
    """Change one's own password; this session goes on, with new tokens if it is by token, all others end.

    Raises InputInvalid for a wrong current password or a new one that is too weak, RateLimited.
    """
    with flow_of(request, by_token=bears_token(request)) as flow:
        errors = flow.ask(ChangePasswordView, current_password=current, new_password=new).errors
        for parameter, path in (("current_password", "currentPassword"), ("new_password", "newPassword")):
            if parameter in errors:
                raise InputInvalid(path, sentence=errors[parameter])
        pair = app_settings.TOKEN_STRATEGY.create_access_token_payload(request) if flow.by_token else {}
        return flow.session(pair)


def _require_whole(given: Mapping[str, str]) -> None:
    """Raise InputInvalid for half a character: JSON can hold one, no account, database or hash can."""
    for name, said in given.items():
        try:
            said.encode()
        except UnicodeEncodeError:
            first, *others = name.split("_")
            raise InputInvalid(first + "".join(map(str.title, others)), rule="characters") from None


def bears_token(request: HttpRequest) -> bool:
    """Whether the request speaks for itself, without the cookie."""
    return "Authorization" in request.headers


def person_of_token(token: str) -> User | None:
    """The person behind an access token, as long as the session lasts and the account is active."""
    found = tokens.validate_access_token(token)
    return found[0] if found and isinstance(found[0], User) else None
