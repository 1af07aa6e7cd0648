"""Passwords: a link by mail to set one, and a change by whoever is signed in."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import ResetPasswordForm
from allauth.headless import app_settings
from allauth.headless.account.inputs import RequestPasswordResetInput
from allauth.headless.account.views import ChangePasswordView, RequestPasswordResetView, ResetPasswordView
from django.http import HttpRequest

from portal.accounts.errors import InputRefused, ResetKeyInvalid
from portal.accounts.flows import Session, flow_of
from portal.accounts.mail import RESET, ask_for_mail
from portal.accounts.tokens import bears_token


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


def request_password_reset(request: HttpRequest, email: str) -> None:
    """Send a link to the address, or a note that there is no such account: the answer is the same.

    Raises InputInvalid for what is no address, RateLimited.
    """
    with flow_of(request, by_token=False) as flow:
        if sentence := flow.ask(_RequestResetView, email=email).errors.get("email"):
            raise InputRefused("email", why=sentence)


def reset_password(request: HttpRequest, key: str, password: str) -> None:
    """Set a new password by the key of the link; every session of the person ends.

    Raises ResetKeyInvalid (unknown, used, too old), InputInvalid for a password that is too weak, RateLimited.
    """
    with flow_of(request, by_token=False) as flow:
        errors = flow.ask(ResetPasswordView, key=key, password=password).errors
    if "key" in errors:
        raise ResetKeyInvalid("key")
    if sentence := errors.get("password"):
        raise InputRefused("password", why=sentence)


def change_password(request: HttpRequest, current: str, new: str) -> Session:
    """Change one's own password; this session goes on, with new tokens if it is by token, all others end.

    Raises InputInvalid for a wrong current password or a new one that is too weak, RateLimited.
    """
    with flow_of(request, by_token=bears_token(request)) as flow:
        errors = flow.ask(ChangePasswordView, current_password=current, new_password=new).errors
        for parameter, path in (("current_password", "currentPassword"), ("new_password", "newPassword")):
            if parameter in errors:
                raise InputRefused(path, why=errors[parameter])
        pair = app_settings.TOKEN_STRATEGY.create_access_token_payload(request) if flow.by_token else {}
        return flow.session(pair)
