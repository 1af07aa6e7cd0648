"""Passwords: a link by mail to set one, and a change by whoever is signed in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import ResetPasswordForm, ResetPasswordKeyForm
from allauth.headless import app_settings
from allauth.headless.account.inputs import RequestPasswordResetInput, ResetPasswordInput
from allauth.headless.account.views import ChangePasswordView, RequestPasswordResetView, ResetPasswordView
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from common.names import validate_plain
from portal.accounts.errors import InputRefused, ResetKeyInvalid
from portal.accounts.flows import Session, flow_of
from portal.accounts.mail import RESET, ask_for_mail
from portal.accounts.tokens import bears_token
from tenants.models import User
from tenants.once import use_once
from tenants.people import people_with_address
from tenants.security import SecurityEvent, person, say, unknown


class ResetForm(ResetPasswordForm):  # type: ignore[misc]
    """Asks for a link, in as much time whether there is such an account or not."""

    def clean_email(self) -> str:
        """The address as it was typed: allauth's field lower-cases it, which makes plain letters of others."""
        validate_plain(self.data["email"])
        address: str = self.cleaned_data["email"]
        self.users = list(people_with_address(address).filter(is_active=True))
        return address

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Leave the rest to the worker."""
        address: str = self.cleaned_data["email"]
        to: list[User] | list[str] = self.users or [address]
        for whom in to:
            ask_for_mail(request, RESET, to=whom)
            who = unknown(whom) if isinstance(whom, str) else person(whom.pk)
            say(SecurityEvent.PASSWORD_RESET_ASKED, request, who=who)
        return address


class _ResetInput(ResetForm, RequestPasswordResetInput):  # type: ignore[misc]
    pass


class _RequestResetView(RequestPasswordResetView):  # type: ignore[misc]
    input_class = _ResetInput


class NewPasswordForm(ResetPasswordKeyForm):  # type: ignore[misc]
    """The page's, behind a mailed link."""

    def clean(self) -> Any:
        """Use the link up, once nothing else is wrong."""
        cleaned = super().clean()
        if not self.errors:
            _use_key(self.user, self.temp_key)
        return cleaned


class _NewPasswordInput(ResetPasswordInput):  # type: ignore[misc]
    def clean(self) -> Any:
        cleaned = super().clean()
        if not self.errors:
            try:
                _use_key(self.user, cleaned["key"].partition("-")[2])
            except ValidationError as error:
                self.add_error("key", error)
        return cleaned


class _NewPasswordView(ResetPasswordView):  # type: ignore[misc]
    input_class = _NewPasswordInput


def _use_key(user: User, key: str) -> None:
    """A password that was set makes the link worthless; until then a second one could go the same way at once."""
    if not use_once("reset", f"{user.pk} {key}", timedelta(seconds=settings.PASSWORD_RESET_TIMEOUT)):
        raise get_adapter().validation_error("invalid_password_reset")


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
        errors = flow.ask(_NewPasswordView, key=key, password=password).errors
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
