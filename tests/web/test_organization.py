"""An organization's own sign-in: OpenID Connect against a provider of ours, over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.test import Client

from tenants.callers import Role
from tenants.models import User
from tests.web.test_people import code, with_totp
from tests.world import World

pytestmark = pytest.mark.django_db


class Provider(ThreadingHTTPServer):
    """Answers what an OpenID Connect server answers; ``claims`` is who signs in next."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.claims: dict[str, Any] = {}
        self.asked: list[dict[str, list[str]]] = []


class _Answers(BaseHTTPRequestHandler):
    server: Provider

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        url = self.server.url
        match urlsplit(self.path).path:
            case "/.well-known/openid-configuration":
                self._say({
                    "issuer": url,
                    "authorization_endpoint": f"{url}/authorize",
                    "token_endpoint": f"{url}/token",
                    "userinfo_endpoint": f"{url}/userinfo",
                    "jwks_uri": f"{url}/keys",
                    "token_endpoint_auth_methods_supported": ["client_secret_post"],
                })  # fmt: skip
            case "/userinfo":
                assert self.headers["Authorization"] == "Bearer of-the-provider"
                self._say(self.server.claims)

    def do_POST(self) -> None:
        given = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked.append(given)
        claims = {**self.server.claims, "iss": self.server.url, "aud": "wayout", "iat": 1, "exp": 4_000_000_000}
        id_token = jwt.encode(claims, "the provider's own key, of which nobody here knows a thing", algorithm="HS256")
        self._say({"access_token": "of-the-provider", "token_type": "Bearer", "expires_in": 60, "id_token": id_token})

    def _say(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    cache.clear()
    with Provider() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        app = {
            "provider_id": "organization",
            "name": "Contoso",
            "client_id": "wayout",
            "secret": "shared",
            "settings": {"server_url": server.url},
        }
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
        yield server
        server.shutdown()


def sign_in(provider: Provider, client: Client, **claims: Any) -> Any:
    """Press the button, come back from the provider as the one it says."""
    provider.claims = {"sub": "u-1", "email_verified": True, **claims}
    sent = client.post("/accounts/oidc/organization/login/", {"next": "/"})
    assert sent["Location"].startswith(f"{provider.url}/authorize?")
    query = parse_qs(urlsplit(sent["Location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    back = {"code": "once", "state": query["state"][0]}
    return client.get("/accounts/oidc/organization/login/callback/", back, follow=True)


def who(client: Client) -> str | None:
    return client.session.get("_auth_user_id")


def test_the_sign_in_page_offers_it_only_where_it_is_set_up(provider: Provider, settings: Any) -> None:
    assert "Sign in with Contoso" in Client().get("/accounts/login/").text
    assert "Влизане с Contoso" in Client(headers={"Wayout-Locale": "bg"}).get("/accounts/login/").text
    settings.SOCIALACCOUNT_PROVIDERS = {}
    assert "Contoso" not in Client().get("/accounts/login/").text


def test_a_verified_address_finds_the_account_and_stays_with_it(provider: Provider, world: World) -> None:
    person, client = world.person(Role.GLOBAL_ADMIN), Client()
    page = sign_in(provider, client, email=person.email.upper())
    assert who(client) == str(person.pk)
    assert page.status_code == 200
    [asked] = provider.asked
    assert asked["client_secret"] == ["shared"]
    assert "code_verifier" in asked
    # Known by its id from now on, whatever address it has.
    again = Client()
    sign_in(provider, again, email="renamed@contoso.example")
    assert who(again) == str(person.pk)


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "nobody@contoso.example"},
        {"email": "{known}", "email_verified": False},
        {"email": "{gone}"},
        {"email": "{twice}"},
        {},
    ],
)
@pytest.mark.parametrize("language", ["en", "bg"])
def test_everyone_else_stays_out(provider: Provider, world: World, claims: dict[str, Any], language: str) -> None:
    known, gone = world.person(Role.GLOBAL_ADMIN), world.person(Role.VIEWER, is_active=False)
    twice = world.person(Role.VIEWER)
    User.objects.create_user("namesake", email=twice.email)
    addresses = {"known": known.email, "gone": gone.email, "twice": twice.email}
    client = Client(headers={"Wayout-Locale": language})
    if "email" in claims:
        claims = {**claims, "email": claims["email"].format(**addresses)}
    people = User.objects.count()
    page = sign_in(provider, client, **claims)
    assert who(client) is None
    assert ("There is no account here" if language == "en" else "Тук няма профил") in page.text
    assert (User.objects.count(), SocialAccount.objects.count()) == (people, 0)


def test_the_own_second_factor_is_asked_for_all_the_same(provider: Provider, world: World) -> None:
    person, client = world.person(Role.GLOBAL_ADMIN), Client()
    secret = with_totp(person)
    page = sign_in(provider, client, email=person.email)
    assert who(client) is None
    client.post(page.redirect_chain[-1][0], {"code": code(secret)})
    assert who(client) == str(person.pk)


def test_a_forged_return_signs_nobody_in(provider: Provider, world: World) -> None:
    person, client = world.person(Role.GLOBAL_ADMIN), Client()
    provider.claims = {"sub": "u-1", "email": person.email, "email_verified": True}
    page = client.get("/accounts/oidc/organization/login/callback/", {"code": "once", "state": "made-up"}, follow=True)
    assert (who(client), provider.asked) == (None, [])
    assert page.status_code in (200, 401, 403)


def test_people_do_not_change_the_address_they_are_found_by(world: World) -> None:
    client = Client()
    client.force_login(world.admin)
    for path in ("/accounts/email/", "/accounts/social/signup/"):
        client.post(path, {"email": "ceo@other.example", "action_add": ""})
    world.admin.refresh_from_db()
    assert world.admin.email.endswith("@contoso.example")
    assert not world.admin.emailaddress_set.exists()  # type: ignore[attr-defined]
