"""The organization's own sign-in, where an OpenID Connect server is set up: its page, and its access tokens for this API."""

from __future__ import annotations

import functools
import logging
import time
from typing import Any

import jwt
import requests
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from common.outbound import session
from tenants.models import User

logger = logging.getLogger("wayout.organization")
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]
_TIMEOUT = 5  # seconds, for all of an answer
_LIFETIME, _PAUSE = 3_600, 60  # seconds: how long keys are good, and between two looks for one that is not known


def account_of(address: str) -> User | None:
    """The one active account with an address that the organization vouches for; two of them are none."""
    accounts = list(User.objects.filter(email__iexact=address, is_active=True)[:2])
    return accounts[0] if len(accounts) == 1 else None


def person_of_organization(token: str) -> User | None:
    """The person behind a token that the organization signed for this API; None for any other token.

    Issuer, audience, signature and times have to hold. A person is known by the id of an earlier sign-in, else by
    the verified address, as at the sign-in page; nothing is written.
    """
    if not (settings.WAYOUT_OIDC_URL and settings.WAYOUT_OIDC_AUDIENCE):
        return None
    try:
        server = _server(settings.WAYOUT_OIDC_URL)
        claims = jwt.decode(
            token,
            server.key(jwt.get_unverified_header(token).get("kid")),
            algorithms=_ALGORITHMS,
            audience=settings.WAYOUT_OIDC_AUDIENCE,
            issuer=server.issuer,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
    except jwt.PyJWTError:
        return None
    except (requests.RequestException, ValueError, KeyError) as error:
        logger.warning("the organization's keys were not to be had: %s", type(error).__name__)
        return None
    return _person(claims)


def _person(claims: dict[str, Any]) -> User | None:
    known = SocialAccount.objects.filter(provider="organization", uid=claims["sub"]).select_related("user").first()
    if known:
        return known.user if known.user.is_active else None
    vouched_for = claims.get("email_verified") is True or settings.WAYOUT_OIDC_TRUST_EMAIL
    address = claims.get("email")
    return account_of(address) if vouched_for and isinstance(address, str) and address else None


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
        self._keys = {key.key_id: key for key in keys}


@functools.cache
def _server(url: str) -> _Server:
    return _Server(url)


def _get(url: str) -> dict[str, Any]:
    answer = session().get(url, timeout=_TIMEOUT)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


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
