"""What is ours of django-allauth: closed to sign-up, mail by the worker, one count of attempts for an account."""

from __future__ import annotations

from datetime import timedelta
from operator import attrgetter
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.internal.flows.login import derive_login_method
from allauth.account.signals import password_reset
from allauth.account.utils import filter_users_by_username
from allauth.core import context
from allauth.core.internal.cryptokit import normalize_user_code
from allauth.core.internal.httpkit import HTTP_USER_AGENT_MAX_LENGTH
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from django.dispatch import receiver
from django.http import HttpRequest

from common.names import is_plain
from portal.accounts.attempts import begin_in_form, forget_attempts, who_tries
from portal.accounts.mail import TRIED, ask_for_mail
from tenants.models import User
from tenants.once import use_once
from tenants.people import people_with_address
from tenants.requests import address
from tenants.security import SecurityEvent, person, say, unknown

# Ten times what a code of an app is good for: clocks of several machines differ.
_CODE_LASTS = timedelta(minutes=5)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up by themselves: an account comes with a role in a tenant. Mail is left to the worker."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
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

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """One count for an account, under whichever of its names. Allauth's own has the Host that the client sent."""
        name = credentials.get("email") or credentials.get("username", "")
        accounts = [*filter_users_by_username(name), *people_with_address(name)] if is_plain(name) else []
        self._account = min(accounts, key=attrgetter("pk"), default=None)
        self._who = who_tries(request, self._account and self._account.pk, name)
        self._said = person(self._account.pk) if self._account else unknown(name)
        self._was_the_last = begin_in_form(request, self._who, self._said)
        if not is_plain(name):
            raise self.validation_error(f"{derive_login_method(name).value}_password_mismatch")

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Whoever comes in begins anew."""
        user = super().authenticate(request, **credentials)
        if user:
            forget_attempts(self._who)
        return user

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Tell the owner, once, and the log. As much is done where there is none: an answer's time tells nobody which it was."""
        say(SecurityEvent.SIGN_IN_FAILED, request, who=self._said)
        if self._was_the_last:
            facts = {"ip": self.get_client_ip(request)}
            ask_for_mail(request, TRIED, to=self._account or "", facts=facts)


class _CountedCode:
    """A code is tried as often as a password, and good once. Recovery codes are allauth's to cross out, which it does."""

    user: User
    authenticator: Authenticator

    def clean_code(self) -> str:
        who = f"code {who_tries(context.request, self.user.pk)}"
        begin_in_form(context.request, who, person(self.user.pk))
        code: str = super().clean_code()  # type: ignore[misc]
        if self.authenticator.type == Authenticator.Type.TOTP and not _use_code(self.user, code):
            self._emit_authentication_failed(self.authenticator)  # type: ignore[attr-defined]
            raise get_adapter().validation_error("incorrect_code")
        forget_attempts(who)
        return code


class CodeForm(_CountedCode, AuthenticateForm):  # type: ignore[misc]
    """The second factor, at signing in."""


class CodeAgainForm(_CountedCode, ReauthenticateForm):  # type: ignore[misc]
    """The second factor, where it is asked for once more."""


class FirstCodeForm(ActivateTOTPForm):  # type: ignore[misc]
    """The code that shows that an app was set up, which does not sign in as well."""

    def clean_code(self) -> str:
        code: str = super().clean_code()
        if not _use_code(self.user, code):
            raise get_adapter().validation_error("incorrect_code")
        return code


def _use_code(user: User, code: str) -> bool:
    """Allauth remembers used codes in the cache, which without Redis is that of one process."""
    return use_once("totp", f"{user.pk} {normalize_user_code(code)}", _CODE_LASTS)


@receiver(password_reset)
def _begin_anew(request: HttpRequest, user: User, **_: Any) -> None:
    forget_attempts(who_tries(request, user.pk))


class SignInBackend(AuthenticationBackend):  # type: ignore[misc]
    """Hashes a password once for an account, however many of the names that were typed are its own.

    Allauth's tries a typed address as a name, too, and hashes for each that it finds: the time of an answer would tell
    whether there is such an account.
    """

    def __init__(self) -> None:
        self._tried: set[int] = set()

    def _authenticate_by_email(self, email: str, password: str) -> User | None:
        """Allauth's own lower-cases an address before it looks, which makes plain letters of others."""
        tried = (self._check_password(user, password) for user in people_with_address(email))
        return next(filter(None, tried), None)

    def _check_password(self, user: User | None, password: str) -> User | None:
        if user is None or user.pk in self._tried:
            return None
        self._tried.add(user.pk)
        found: User | None = super()._check_password(user, password)
        return found
