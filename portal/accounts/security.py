"""What Django and allauth tell of sign-ins, passwords and second factors, as lines of the log."""

from __future__ import annotations

from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set
from allauth.mfa import signals as factors
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.signals import social_account_added
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import Signal, receiver
from django.http import HttpRequest

from tenants.models import User
from tenants.security import SecurityEvent, person, say
from tenants.sessions import end_sessions

_EVENTS: list[tuple[Signal, SecurityEvent]] = [
    (user_logged_in, SecurityEvent.SIGNED_IN),
    (password_set, SecurityEvent.PASSWORD_CHANGED),
    (password_changed, SecurityEvent.PASSWORD_CHANGED),
    (password_reset, SecurityEvent.PASSWORD_RESET),
    (factors.authenticator_removed, SecurityEvent.FACTOR_REMOVED),
    (factors.authenticator_reset, SecurityEvent.RECOVERY_CODES_MADE),
    (factors.authentication_failed, SecurityEvent.FACTOR_FAILED),
]


def _end_others(request: HttpRequest, user: User, **_: Any) -> None:
    """Whoever found a way in is out again."""
    end_sessions(user.pk, but=request.session.session_key)


for _signal in (password_set, password_changed, factors.authenticator_removed):
    _signal.connect(_end_others)


@receiver(password_reset)
def _end_all(user: User, **_: Any) -> None:
    end_sessions(user.pk)


def _listen(signal: Signal, event: SecurityEvent) -> None:
    def heard(request: HttpRequest, user: User, **_: Any) -> None:
        say(event, request, who=person(user.pk))

    signal.connect(heard, weak=False)


for _signal, _event in _EVENTS:
    _listen(_signal, _event)


@receiver(user_logged_out)
def _signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    if user:
        say(SecurityEvent.SIGNED_OUT, request, who=person(user.pk))


@receiver(factors.authenticator_added)
def _factor_added(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    codes = authenticator.type == Authenticator.Type.RECOVERY_CODES
    event = SecurityEvent.RECOVERY_CODES_MADE if codes else SecurityEvent.FACTOR_ADDED
    say(event, request, who=person(user.pk))


@receiver(factors.authenticator_used)
def _factor_used(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        say(SecurityEvent.RECOVERY_CODE_USED, request, who=person(user.pk))


@receiver(social_account_added)
def _identity_linked(request: HttpRequest, sociallogin: SocialLogin, **_: Any) -> None:
    say(SecurityEvent.IDENTITY_LINKED, request, who=person(sociallogin.user.pk))
