"""The organization's own sign-in, where an OpenID Connect server is set up: its page, and its access tokens for this API."""

from __future__ import annotations

import functools
import logging
import time
from contextlib import suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import jwt
import requests
from allauth.account.internal.decorators import login_not_required
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.internal.statekit import STATE_TTL
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialLogin
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from allauth.utils import get_request_param
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from common.outbound import session
from portal.accounts.claims import is_access_token
from tenants.models import User
from tenants.once import use_once
from tenants.people import people_with_address
from tenants.security import SecurityEvent, say, unknown

logger = logging.getLogger("wayout.organization")
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
_TIMEOUT = 5  # seconds, for all of an answer
_LEEWAY = 30  # seconds by which two clocks may differ
_LIFETIME, _PAUSE = 3_600, 60  # seconds: how long keys are good, and between two looks for one that is not known

_STATE_LASTS = timedelta(seconds=STATE_TTL)


def account_of(address: str) -> User | None:
    """The active account with an address that the organization vouches for."""
    return people_with_address(address).filter(is_active=True).first()


def person_of_organization(token: str) -> User | None:
    """The person behind a token that the organization signed for this API; None for any other token.

    Issuer, audience, signature and times have to hold, and it has to be one for calling. A person is known by the id of
    an earlier sign-in, else by the verified address, as at the sign-in page; nothing is written.
    """
    if not (settings.WAYOUT_OIDC_URL and settings.WAYOUT_OIDC_AUDIENCE):
        return None
    try:
        server = _server(settings.WAYOUT_OIDC_URL)
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(
            token,
            server.key(header.get("kid")),
            algorithms=_ALGORITHMS,
            audience=settings.WAYOUT_OIDC_AUDIENCE,
            issuer=server.issuer,
            leeway=_LEEWAY,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
    except jwt.ImmatureSignatureError:
        logger.warning(
            "a token of the organization is of a time to come: the clock of this machine or of theirs is off"
        )
        return None
    except jwt.PyJWTError:
        return None
    except (requests.RequestException, ValueError, KeyError) as error:
        logger.warning("the organization's keys were not to be had: %s", type(error).__name__)
        return None
    return _person(claims) if is_access_token(header, claims, settings.WAYOUT_OIDC_CLIENT_ID) else None


def _person(claims: dict[str, Any]) -> User | None:
    known = SocialAccount.objects.filter(provider="organization", uid=claims["sub"]).select_related("user").first()
    if known:
        return known.user if known.user.is_active else None
    return _vouched_for(claims)


def _vouched_for(claims: dict[str, Any]) -> User | None:
    """The account with the address of the claims, exactly as the organization wrote it."""
    sure = claims.get("email_verified") is True or settings.WAYOUT_OIDC_TRUST_EMAIL
    address = claims.get("email")
    return account_of(address) if sure and isinstance(address, str) and address else None


class _Server:
    """The organization's server: who it says it is, and its keys, kept for an hour."""

    def __init__(self, url: str) -> None:
        self._url = (
            url if url.endswith("openid-configuration") else f"{url.rstrip('/')}/.well-known/openid-configuration"
        )
        self.issuer = ""
        self._keys: dict[str | None, jwt.PyJWK] = {}
        self._looked_at = float("-inf")

    def key(self, key_id: str | None) -> jwt.PyJWK:
        """The key of that name. A name that is not known has us look again, once a minute: tokens can say anything."""
        age = time.monotonic() - self._looked_at
        if age > _LIFETIME or (key_id not in self._keys and age > _PAUSE):
            self._look()
        if key_id not in self._keys:
            raise jwt.InvalidKeyError("no such key")
        return self._keys[key_id]

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        about = _get(self._url)
        keys = jwt.PyJWKSet.from_dict(_get(about["jwks_uri"])).keys
        self.issuer = about["issuer"]
        self._keys = {key.key_id: key for key in keys if key.public_key_use != "enc"}


@functools.cache
def _server(url: str) -> _Server:
    return _Server(url)


def _get(url: str) -> dict[str, Any]:
    answer = session().get(url, timeout=_TIMEOUT)
    answer.raise_for_status()
    _compare_clocks(answer.headers.get("Date", ""))
    found: dict[str, Any] = answer.json()
    return found


def _compare_clocks(said: str) -> None:
    """Whoever's clock is fast refuses, or is refused, every token: the log says so before anybody wonders."""
    with suppress(TypeError, ValueError):
        off = (timezone.now() - parsedate_to_datetime(said)).total_seconds()
        if abs(off) > _LEEWAY:
            logger.warning("the clocks of this machine and of the organization's server differ by %d seconds", off)


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
        # Not allauth's list of addresses: those are in lower case, which makes plain letters of others.
        if account := _vouched_for(_claims(sociallogin)):
            sociallogin.connect(request, account)
            return
        say(SecurityEvent.SIGN_IN_STRANGER, request, who=unknown(sociallogin.account.uid))
        messages.error(request, _("There is no account here for this sign-in. Ask whoever runs this portal for one."))
        raise ImmediateHttpResponse(redirect("account_login"))


def _claims(login: SocialLogin) -> dict[str, Any]:
    """What the server says of the person where asked for it, else in the ID token."""
    answered: dict[str, Any] = login.account.extra_data
    claims: dict[str, Any] = answered.get("userinfo") or answered["id_token"]
    return claims


class _Organization(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """Takes the ID token that the server gave us over TLS, by clocks that differ a little."""

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> SocialLogin:
        """Raises OAuth2Error for what the server says of somebody else than the one who signed in."""
        login: SocialLogin = super().complete_login(request, app, token, **kwargs)
        subjects = {answer["sub"] for answer in login.account.extra_data.values() if answer}
        if len(subjects) > 1:
            raise OAuth2Error("of another person")
        return login

    def _decode_id_token(self, app: Any, id_token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                id_token,
                options={
                    "verify_signature": False,
                    "verify_exp": True,
                    "verify_iat": True,
                    "verify_nbf": True,
                    "verify_aud": True,
                    "verify_iss": True,
                },
                audience=app.client_id,
                issuer=self.openid_config["issuer"],
                leeway=_LEEWAY,
            )
        except jwt.PyJWTError as error:
            logger.warning("an ID token of the organization was refused: %s", type(error).__name__)
            raise OAuth2Error("Invalid id_token") from error
        return claims


class _Return(OAuth2CallbackView):  # type: ignore[misc]
    """Coming back from the organization's server, once: a session is read by many at once, a row is written by one."""

    def _get_state(self, request: HttpRequest, provider: Any) -> Any:
        state, refusal = super()._get_state(request, provider)
        if state is None or use_once("oidc", get_request_param(request, "state"), _STATE_LASTS):
            return state, refusal
        return None, render_authentication_error(request, provider)


@login_not_required  # type: ignore[untyped-decorator]
def come_back(request: HttpRequest) -> HttpResponseBase:
    """Sign in whoever comes back from the organization's server."""
    try:
        found: HttpResponseBase = _Return.adapter_view(_Organization(request, "organization"))(request)
    except SocialApp.DoesNotExist:
        raise Http404 from None
    return found
