"""An organization's own sign-in: OpenID Connect against a provider of ours, over real HTTP."""

from __future__ import annotations

import hmac
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.cache import cache
from django.test import Client
from jwt.algorithms import RSAAlgorithm

from tenants.callers import Role
from tenants.models import User
from tests.accounts.test_names import NAMES, OWN
from tests.accounts.test_people import code, with_totp
from tests.world import World

pytestmark = pytest.mark.django_db


class Provider(ThreadingHTTPServer):
    """Answers what an OpenID Connect server answers; ``claims`` is who signs in next."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.claims: dict[str, Any] = {}
        self.asked: list[dict[str, list[str]]] = []
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.public_key = {**RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": "now", "use": "sig"}
        self.keys_asked = 0
        self.in_id_token: dict[str, Any] = {}
        self.ahead = timedelta()


class _Answers(BaseHTTPRequestHandler):
    server: Provider

    def date_time_string(self, timestamp: float | None = None) -> str:
        """As the server's clock has it."""
        return super().date_time_string(time.time() + self.server.ahead.total_seconds())

    def log_message(self, format: str, *args: Any) -> None:
        pass

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
            case "/keys":
                self.server.keys_asked += 1
                self._say({"keys": [self.server.public_key]})
            case "/userinfo":
                assert self.headers["Authorization"] == "Bearer of-the-provider"
                self._say(self.server.claims)

    def do_POST(self) -> None:
        given = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.server.asked.append(given)
        ours = {"iss": self.server.url, "aud": "wayout"}
        claims = {"iat": 1, "exp": 4_000_000_000, **self.server.claims, **ours, **self.server.in_id_token}
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
        {"email": "{known}", "email_verified": "true"},
        {},
    ],
)
@pytest.mark.parametrize("language", ["en", "bg"])
def test_everyone_else_stays_out(provider: Provider, world: World, claims: dict[str, Any], language: str) -> None:
    known, gone = world.person(Role.GLOBAL_ADMIN), world.person(Role.VIEWER, is_active=False)
    addresses = {"known": known.email, "gone": gone.email}
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


def access_token(provider: Provider, headers: dict[str, Any] | None = None, **changed: Any) -> str:
    """A token as the provider signs them for the API; ``changed``: claims, the key, its name."""
    key, key_id = changed.pop("key", provider.key), changed.pop("kid", "now")
    algorithm = changed.pop("algorithm", "RS256")
    now = int(time.time())
    times = {"iat": now, "exp": now + 300}
    claims = {"iss": provider.url, "aud": "api://wayout", "sub": "u-1", "azp": "a-portal", "scope": "api", **times}
    given = {name: value for name, value in {**claims, **changed}.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm, headers={"kid": key_id, **(headers or {})})


def viewer(token: str, prefix: str = "Bearer") -> Any:
    client = Client(headers={"Authorization": f"{prefix} {token}"})
    body = client.post("/graphql/", {"query": "{ viewer { kind email } }"}, content_type="application/json").json()
    return body["errors"][0]["extensions"]["code"] if "errors" in body else body["data"]["viewer"]


@pytest.fixture
def api(provider: Provider, settings: Any) -> Provider:
    """Access tokens of the provider for api://wayout are taken."""
    settings.WAYOUT_OIDC_URL, settings.WAYOUT_OIDC_AUDIENCE = provider.url, "api://wayout"
    settings.WAYOUT_OIDC_CLIENT_ID = "wayout"
    return provider


def test_an_access_token_for_this_api_is_its_person(api: Provider, world: World) -> None:
    person = world.person(Role.GLOBAL_ADMIN)
    for _ in range(3):
        token = access_token(api, email=person.email.upper(), email_verified=True)
        assert viewer(token) == {"kind": "PERSON", "email": person.email}
    assert api.keys_asked == 1
    assert SocialAccount.objects.count() == 0
    # Whoever signed in here once is known by the id, whatever address the token has.
    sign_in(api, Client(), email=person.email)
    assert viewer(access_token(api))["email"] == person.email
    assert viewer(access_token(api, sub="u-2")) == "NOT_AUTHENTICATED"
    User.objects.filter(pk=person.pk).update(is_active=False)
    assert viewer(access_token(api)) == "NOT_AUTHENTICATED"


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "api://another"},
        {"aud": None},
        {"iss": "https://somewhere.example"},
        {"iss": None},
        {"exp": 1_000},
        {"exp": None},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"kid": "gone"},
        {"key": rsa.generate_private_key(public_exponent=65537, key_size=2048)},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": ["ceo@contoso.example"]},
        {"email": None},
        {"key": "the public key, taken for a shared one, which must not count", "algorithm": "HS256"},
        {"key": None, "algorithm": "none"},
        {"headers": {"kid": "../../../dev/null"}},
        {"headers": {"kid": "' OR 1=1 --"}},
        {"headers": {"kid": ""}},
        {"headers": {"jku": "http://127.0.0.1:9/keys", "kid": "theirs"}},
        {"headers": {"crit": ["exp"], "exp": 1}},
        {"algorithm": "PS256"},
    ],
    ids=lambda changed: "-".join(map(str, changed)),
)
def test_any_other_token_is_nobody(api: Provider, world: World, changed: dict[str, Any]) -> None:
    person = world.person(Role.GLOBAL_ADMIN)
    assert (
        viewer(access_token(api, **{"email": person.email, "email_verified": True, **changed})) == "NOT_AUTHENTICATED"
    )


CLIENT = "7d1c0f0e-portal"
# What each server puts into its tokens, as its own documentation has it; all but what every token has.
ACCESS_TOKENS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "RFC 9068": ({"typ": "at+jwt"}, {"client_id": CLIENT, "jti": "1", "scope": "api"}),
    "RFC 9068 without a scope": ({"typ": "application/at+jwt"}, {"client_id": CLIENT, "jti": "1"}),
    "Entra v1": (
        {"typ": "JWT"},
        {"appid": CLIENT, "appidacr": "0", "scp": "access_as_user", "ver": "1.0", "amr": ["pwd"]},
    ),
    "Entra v2": ({"typ": "JWT"}, {"azp": CLIENT, "azpacr": "0", "scp": "access_as_user", "ver": "2.0", "oid": "o"}),
    "Entra v2, by our sign-in": ({"typ": "JWT"}, {"azp": "wayout", "scp": "access_as_user", "ver": "2.0"}),
    "Keycloak": ({"typ": "JWT"}, {"typ": "Bearer", "azp": CLIENT, "scope": "openid email", "sid": "s", "acr": "1"}),
    "Auth0": ({"typ": "JWT"}, {"azp": CLIENT, "scope": "openid profile", "gty": "password"}),
    "Auth0, RFC 9068": ({"typ": "at+jwt"}, {"client_id": CLIENT, "jti": "1", "scope": "openid profile"}),
    "Okta": ({}, {"cid": CLIENT, "uid": "00u", "scp": ["openid", "email"], "ver": 1, "jti": "AT.1"}),
}
NO_ACCESS_TOKENS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "OpenID Connect": ({"typ": "JWT"}, {"azp": "wayout", "nonce": "n", "at_hash": "h", "auth_time": 1}),
    "Entra v1, ID": ({"typ": "JWT"}, {"ver": "1.0", "nonce": "n", "tid": "t", "unique_name": "ada"}),
    "Entra v2, ID": ({"typ": "JWT"}, {"ver": "2.0", "tid": "t", "oid": "o", "preferred_username": "ada", "rh": "r"}),
    "Entra v2, of an application": (
        {"typ": "JWT"},
        {"azp": CLIENT, "idtyp": "app", "roles": ["Api.All"], "ver": "2.0"},
    ),
    "Keycloak, ID": ({"typ": "JWT"}, {"typ": "ID", "azp": "wayout", "at_hash": "h", "sid": "s"}),
    "Keycloak, ID with a scope": ({"typ": "JWT"}, {"typ": "ID", "azp": "wayout", "scope": "openid email"}),
    "Keycloak, refresh": ({"typ": "JWT"}, {"typ": "Refresh", "azp": CLIENT, "scope": "openid"}),
    "Keycloak, logout": ({"typ": "JWT"}, {"typ": "Logout", "azp": CLIENT, "scope": "openid"}),
    "Auth0, ID": ({"typ": "JWT"}, {"nickname": "ada", "nonce": "n", "sid": "s"}),
    "Okta, ID": ({}, {"ver": 1, "at_hash": "h", "idp": "00o", "amr": ["pwd"], "jti": "ID.1"}),
    "an ID token with a code's hash": ({"typ": "JWT"}, {"azp": CLIENT, "scope": "api", "c_hash": "h"}),
    "our sign-in's, without a scope": ({"typ": "JWT"}, {"azp": "wayout"}),
    "our sign-in's, as an access token": ({"typ": "at+jwt"}, {"client_id": "wayout"}),
    "of a client, without a scope": ({"typ": "JWT"}, {"azp": CLIENT, "scope": ""}),
    "with a scope, of no client": ({"typ": "JWT"}, {"scope": "api"}),
    "of two clients": ({"typ": "JWT"}, {"azp": CLIENT, "client_id": "wayout", "scope": "api"}),
    "a logout token": ({"typ": "logout+jwt"}, {"azp": CLIENT, "scope": "api", "events": {}}),
    "a proof of possession": ({"typ": "dpop+jwt"}, {"azp": CLIENT, "scope": "api"}),
    "of a client that is no text": ({"typ": "JWT"}, {"azp": ["wayout"], "scope": "api"}),
}


def shaped(provider: Provider, world: World, shape: tuple[dict[str, Any], dict[str, Any]]) -> Any:
    """What the API answers to a token that differs in nothing but what it is for."""
    headers, claims = shape
    about = {"email": world.person(Role.VIEWER).email, "email_verified": True, "azp": None, "scope": None}
    return viewer(access_token(provider, {"typ": None, **headers}, **{**about, **claims}))


@pytest.mark.parametrize("shape", ACCESS_TOKENS.values(), ids=ACCESS_TOKENS.keys())
def test_access_tokens_of_every_server_are_taken(api: Provider, world: World, shape: Any) -> None:
    assert shaped(api, world, shape)["kind"] == "PERSON"


@pytest.mark.parametrize("shape", NO_ACCESS_TOKENS.values(), ids=NO_ACCESS_TOKENS.keys())
def test_tokens_for_something_else_are_not(api: Provider, world: World, shape: Any) -> None:
    assert shaped(api, world, shape) == "NOT_AUTHENTICATED"


def test_a_public_key_is_no_shared_one(api: Provider, world: World) -> None:
    """A token signed by HMAC with what everybody can read, which PyJWT refuses to make."""
    pem = api.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    real = access_token(api, email=world.person(Role.VIEWER).email, email_verified=True)
    head = b64({"alg": "HS256", "typ": "JWT", "kid": "now"})
    signed = f"{head}.{real.split('.')[1]}"
    mac = urlsafe_b64encode(hmac.digest(pem, signed.encode(), "sha256")).rstrip(b"=").decode()
    assert viewer(f"{signed}.{mac}") == "NOT_AUTHENTICATED"
    for algorithm in ("none", "None", "NONE", ""):
        assert viewer(f"{b64({'alg': algorithm, 'kid': 'now'})}.{real.split('.')[1]}.") == "NOT_AUTHENTICATED"
    assert viewer(real)["kind"] == "PERSON"


def b64(header: dict[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()


def test_a_key_for_encryption_signs_nothing(api: Provider, world: World) -> None:
    api.public_key["use"] = "enc"
    person = world.person(Role.VIEWER)
    assert viewer(access_token(api, email=person.email, email_verified=True)) == "NOT_AUTHENTICATED"


@pytest.mark.parametrize(
    ("times", "good"),
    [
        ({"exp": -20}, True),
        ({"exp": -40}, False),
        ({"nbf": 20}, True),
        ({"nbf": 40}, False),
        ({"iat": 20}, True),
        ({"iat": 40}, False),
    ],
    ids=str,
)
def test_clocks_may_differ_by_half_a_minute(
    api: Provider, world: World, times: dict[str, int], good: bool, caplog: pytest.LogCaptureFixture
) -> None:
    person = world.person(Role.VIEWER)
    changed = {name: int(time.time()) + seconds for name, seconds in times.items()}
    token = access_token(api, email=person.email, email_verified=True, **changed)
    assert (viewer(token) != "NOT_AUTHENTICATED") is good
    told = [record.getMessage() for record in caplog.records if record.name == "wayout.organization"]
    assert bool(told) is (not good and "exp" not in times)
    assert not any(token[:20] in line or person.email in line for line in told)
    # The same at the sign-in page.
    client = Client()
    sign_in(api, client, email=person.email, **changed)
    assert (who(client) == str(person.pk)) is good


def test_a_clock_that_is_off_is_said(api: Provider, world: World, caplog: pytest.LogCaptureFixture) -> None:
    api.ahead = timedelta(minutes=5)
    viewer(access_token(api))
    assert "differ by -" in caplog.text


def test_what_is_said_of_somebody_else_signs_nobody_in(provider: Provider, world: World) -> None:
    person, client = world.person(Role.GLOBAL_ADMIN), Client()
    provider.in_id_token = {"sub": "u-2"}
    sign_in(provider, client, email=person.email)
    assert (who(client), SocialAccount.objects.count()) == (None, 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", ["page", "token"])
def test_an_address_that_looks_like_another_is_nobodys(api: Provider, world: World, name: str, way: str) -> None:
    person = world.person(Role.GLOBAL_ADMIN)
    User.objects.filter(pk=person.pk).update(email=OWN)
    client = Client()
    if way == "page":
        sign_in(api, client, email=name)
        assert who(client) is None
    else:
        assert viewer(access_token(api, email=name, email_verified=True)) == "NOT_AUTHENTICATED"
    assert not SocialAccount.objects.exists()
    # The one that is meant comes in.
    sign_in(api, client, email=OWN.upper())
    assert who(client) == str(person.pk)


def test_names_of_keys_that_tokens_make_up_are_looked_for_once_a_minute(api: Provider, world: World) -> None:
    for n in range(5):
        assert viewer(access_token(api, kid=f"made-up-{n}")) == "NOT_AUTHENTICATED"
    assert api.keys_asked == 1


def test_no_token_of_the_organization_counts_where_no_audience_is_set(
    api: Provider, world: World, settings: Any
) -> None:
    settings.WAYOUT_OIDC_AUDIENCE = ""
    person = world.person(Role.GLOBAL_ADMIN)
    assert viewer(access_token(api, email=person.email, email_verified=True)) == "NOT_AUTHENTICATED"
    assert api.keys_asked == 0


def test_a_server_that_is_gone_is_no_error(api: Provider, world: World, settings: Any) -> None:
    settings.WAYOUT_OIDC_URL = "http://127.0.0.1:9"
    assert viewer(access_token(api)) == "NOT_AUTHENTICATED"


def test_the_prefix_has_to_be_ours(api: Provider, world: World) -> None:
    person = world.person(Role.GLOBAL_ADMIN)
    token = access_token(api, email=person.email, email_verified=True)
    assert viewer(token, prefix="JWT") == "NOT_AUTHENTICATED"
    assert viewer(token, prefix="bearer")["email"] == person.email
