"""The hosted page of people whom a host vouches for: a one-time address, a cookie of its own, and no other session."""

from __future__ import annotations

import json
from typing import Any

import pytest
import time_machine
from django.test import Client

from portal.graphql.view import JSON
from subscriptions.models import Subscription
from tenants.callers import Role, Scope
from tenants.models import AuditEvent, PartnerToken, PortalSession, Tenant
from tenants.people import SYSTEM
from tenants.tokens import revoke_token
from tests.builders import NOW
from tests.graphql.documents import CREATE_SESSION, END_SESSIONS, VIEWER
from tests.graphql.test_portal_sessions import cancel
from tests.world import Api, World

pytestmark = pytest.mark.django_db
BACK = "https://portal.example/back?x=1&y=2"
PAGE = "/portal/"


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as traveler:
        yield traveler


@pytest.fixture
def host(world: World) -> Api:
    Tenant.objects.filter(pk=world.tenant.pk).update(external_id="acme")
    origins = ["https://portal.example"]
    return Api(token=world.token(Scope.SESSIONS, max_role=Role.GLOBAL_ADMIN, return_origins=origins))


def address(host: Api, **given: Any) -> str:
    wish = {
        "tenantExternalId": "acme", "role": "GLOBAL_ADMIN", "returnUrl": BACK, "idempotencyKey": "k", "expiresIn": 600,
        "person": {"externalId": "7", "email": "ana@host.example", "displayName": "Ana <Petrova>"}, **given,
    }  # fmt: skip
    found: str = host(CREATE_SESSION, input=wish)["createPortalSession"]["url"]
    return found.removeprefix("http://testserver")


def entered(host: Api, **given: Any) -> Client:
    """A browser that opened the address as a person does."""
    client = Client()
    assert client.post(address(host, **given)).status_code == 302
    return client


def ask(client: Client, path: str = "/portal/graphql/", **headers: str) -> Any:
    return client.post(path, json.dumps({"query": VIEWER}), content_type=JSON, headers=headers)


class Hosted(Api):
    """The element on the hosted page."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.client = client

    def post(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables})
        return self.client.post("/portal/graphql/", body, content_type=JSON)


def test_looking_at_the_address_uses_nothing_up(host: Api) -> None:
    at = address(host)
    for method in ("get", "head", "get"):
        looked = getattr(Client(), method)(at)
        assert looked.status_code == 200
        assert "portal" not in looked.cookies
        assert looked.headers["Cache-Control"] == "no-store"
    assert PortalSession.objects.get().page_digest is None
    page = Client().get(at).text
    assert '<form method="post" id="enter">' in page
    assert "portal/enter.js" in page
    assert Client().post(at).status_code == 302


def test_it_works_once(host: Api) -> None:
    at = address(host)
    first = Client().post(at)
    assert (first.status_code, first.headers["Location"]) == (302, PAGE)
    cookie = first.cookies["portal"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == (PAGE, True, "Lax")
    again = Client().post(at)
    assert (again.status_code, "portal" in again.cookies) == (410, False)
    assert "This visit is over" in again.text
    assert AuditEvent.objects.filter(action="portal_session.entered").count() == 1


def test_the_form_needs_its_token(host: Api) -> None:
    """Nobody is brought into a session of somebody else's by another site."""
    at = address(host)
    assert Client(enforce_csrf_checks=True).post(at).status_code == 403
    assert PortalSession.objects.get().page_digest is None


def test_the_page_shows_the_element_to_them_and_where_they_came_from(host: Api) -> None:
    page = entered(host).get(PAGE)
    assert page.status_code == 200
    assert 'endpoint="/portal/graphql/"' in page.text
    assert "Ana &lt;Petrova&gt;, vouched for by Partner" in page.text
    assert 'href="https://portal.example/back?x=1&amp;y=2" rel="noreferrer"' in page.text
    assert "wyp_" not in page.text


def test_the_page_is_in_their_language(host: Api) -> None:
    page = entered(host, locale="bg").get(PAGE, headers={"Accept-Language": "en"})
    assert 'locale="bg"' in page.text
    assert "представено лице от" in page.text


def test_it_begins_with_the_subscription_that_the_host_named(world: World, host: Api) -> None:
    named, other = world.subscription(1), World.build().subscription(1)
    Subscription.objects.filter(pk__in=[named.pk, other.pk]).update(external_id="s-1")
    page = entered(host, subscriptionExternalId="s-1").get(PAGE)
    assert f'subscription-id="sub_{named.pk}"' in page.text
    assert "subscription-id" not in entered(host, subscriptionExternalId="s-2", idempotencyKey="2").get(PAGE).text


def test_the_element_acts_by_the_cookie_and_its_csrf_token(world: World, host: Api) -> None:
    client = Client(enforce_csrf_checks=True)
    at = address(host)
    client.get(at)
    client.post(at, {"csrfmiddlewaretoken": client.cookies["csrftoken"].value})
    client.get(PAGE)
    assert ask(client).status_code == 403
    answered = ask(client, **{"X-CSRFToken": client.cookies["csrftoken"].value}).json()
    assert answered["data"]["viewer"]["displayName"] == "Ana <Petrova>"


def test_the_cookie_counts_under_its_page_alone_and_no_other_session_does_there(world: World, host: Api) -> None:
    client = entered(host)
    client.force_login(world.person(Role.VIEWER))
    assert ask(client).json()["data"]["viewer"]["displayName"] == "Ana <Petrova>"
    client.cookies["portal"]["path"] = "/"
    assert ask(client, "/graphql/").json()["data"]["viewer"]["id"].startswith("per_")
    stranger = Client()
    stranger.force_login(world.admin)
    assert ask(stranger).json()["errors"][0]["extensions"]["code"] == "NOT_AUTHENTICATED"
    assert stranger.get(PAGE).status_code == 403


def test_they_cancel_and_read_the_receipt_there(world: World, host: Api) -> None:
    api = Hosted(entered(host))
    done = cancel(api, world.subscription(1))["cancellation"]
    path = done["receiptUrl"].removeprefix("http://testserver")
    assert path == f"/portal/receipts/{done['reference']}/"
    page = api.client.get(path)
    assert "Ana &lt;Petrova&gt;, vouched for by Partner" in page.text
    assert 'href="/portal/"' in page.text
    assert api.client.get(f"{path}?format=txt").status_code == 200
    assert api.client.get(f"/receipts/{done['reference']}/").status_code == 404
    assert Client().get(path).status_code == 404


@pytest.mark.parametrize("how", ["time", "ended", "revoked"])
def test_what_is_over_is_over_and_says_where_to_go(host: Api, clock: Any, how: str) -> None:
    client = entered(host)
    unused = address(host, idempotencyKey="2")
    match how:
        case "time":
            clock.shift(600)
        case "ended":
            assert host(END_SESSIONS, input={"personExternalId": "7"})["endPortalSessions"]["ended"] == 2
        case _:
            revoke_token(token=PartnerToken.objects.get(), caller=SYSTEM, now=NOW)
    page = client.get(PAGE)
    assert (page.status_code, "This visit is over" in page.text, "portal.example/back" in page.text) == (
        403,
        True,
        True,
    )
    assert ask(client).json()["errors"][0]["extensions"]["code"] == "NOT_AUTHENTICATED"
    assert Client().post(unused).status_code == 410


@pytest.mark.parametrize("code", ["x", "0" * 48, "%D0%B0", "a" * 500])
def test_an_address_that_never_was(code: str) -> None:
    assert Client().post(f"/portal/enter/{code}/").status_code == 410
    assert Client().get(PAGE).status_code == 403
