"""What is ours of django-allauth: closed to sign-up, mail by the worker, one count of attempts for an account."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.utils import filter_users_by_email, filter_users_by_username
from allauth.core.internal.httpkit import HTTP_USER_AGENT_MAX_LENGTH
from django.http import HttpRequest

from portal.accounts.mail import ask_for_mail
from tenants.models import User
from tenants.requests import address


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
