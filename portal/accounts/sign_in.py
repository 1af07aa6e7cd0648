"""How people come in, and how they leave: by name and password, with a second factor where there is one."""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus

from allauth.account.internal.stagekit import clear_login
from allauth.headless import app_settings
from allauth.headless.account.views import LoginView, SessionView
from allauth.headless.mfa.inputs import AuthenticateInput
from allauth.headless.mfa.views import AuthenticateView
from allauth.headless.tokens.strategies.jwt import internal as tokens
from django.http import HttpRequest

from common.errors import InputInvalid
from common.names import is_plain
from portal.accounts.adapter import CodeForm
from portal.accounts.errors import AlreadySignedIn, SecondFactorRequired, SessionEnded, SignInFailed
from portal.accounts.flows import Flow, Session, flow_of, require_whole
from portal.accounts.tokens import bears_token
from tenants.models import User


class _CodeInput(CodeForm, AuthenticateInput):  # type: ignore[misc]
    pass


class _CodeView(AuthenticateView):  # type: ignore[misc]
    input_class = _CodeInput


def sign_in(request: HttpRequest, name: str, password: str, code: str | None, *, by_token: bool) -> Session:
    """Sign in with everything at once; a name with an @ is an address.

    Raises AlreadySignedIn, SignInFailed (whatever was wrong, also an account that is not there),
    SecondFactorRequired (the password was right), RateLimited.
    """
    try:
        require_whole({"name": name, "password": password, "code": code or ""})
    except InputInvalid:
        raise SignInFailed from None
    if not is_plain(name):
        raise SignInFailed
    with flow_of(request, by_token=by_token) as flow:
        answer = flow.ask(LoginView, **{"email" if "@" in name else "username": name}, password=password)
        if answer.status == HTTPStatus.CONFLICT:
            raise AlreadySignedIn
        if any(asked["id"] == "mfa_authenticate" and asked.get("is_pending") for asked in answer.data.get("flows", [])):
            if code:
                answer = flow.ask(_CodeView, code=code)
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
