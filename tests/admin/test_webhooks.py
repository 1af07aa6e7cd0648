"""Webhooks in the admin: made for a partner, tested, rotated, resumed, sent again, removed; and who may."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from common.keys import key_id
from tenants.callers import Scope
from tenants.models import AuditEvent, PartnerToken, User
from tests.partners import Partner
from tests.rotation import rotate
from tests.world import World
from webhooks.models import Delivery, Endpoint

pytestmark = pytest.mark.django_db
LIST, ADD, DELIVERIES = "/admin/webhooks/endpoint/", "/admin/webhooks/endpoint/add/", "/admin/webhooks/delivery/"


@pytest.fixture
def staff(agent: User) -> Client:
    agent.user_permissions.set(Permission.objects.filter(content_type__app_label="webhooks"))
    client = Client(headers={"Wayout-Locale": "en"})
    client.force_login(agent)
    return client


def act(client: Client, page: str, action: str, *rows: Any) -> str:
    answer = client.post(page, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)
    assert answer.status_code == 200
    return answer.text


def test_making_one_shows_the_secret_once(staff: Client, world: World, settings: Any) -> None:
    settings.WAYOUT_WEBHOOK_PRIVATE = False
    world.token(Scope.WEBHOOKS)
    token = PartnerToken.objects.get()
    wish = {"token": token.pk, "url": "https://partner.example/hook", "events": ["refund.settled"], "language": "bg"}
    page = staff.post(ADD, {**wish, "contact_email": "ops@partner.example"}, follow=True).text
    endpoint = Endpoint.objects.get()
    assert (endpoint.partner, endpoint.events, endpoint.language) == (token.partner, ["refund.settled"], "bg")
    assert "whsec_" in page
    assert "whsec_" not in staff.get(f"{LIST}{endpoint.pk}/change/").text
    assert "Partner" in staff.get(LIST).text
    # Changing keeps the secret and the address.
    shown = staff.get(f"{LIST}{endpoint.pk}/change/").context["shown"]
    changed = staff.post(
        f"{LIST}{endpoint.pk}/change/",
        {"events": [], "language": "en", "url": "https://evil.example", "shown": shown},
    )
    assert changed.status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.url, endpoint.events) == (wish["url"], [])
    assert list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))[-2:] == [
        "webhook.registered", "webhook.changed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "sentence"),
    [("https://10.0.0.1/", "private addresses"), ("http://partner.example/", "https alone"), ("x", "no address")],
)
def test_an_address_that_cannot_be_stays_in_the_form(
    staff: Client, world: World, settings: Any, url: str, sentence: str
) -> None:
    settings.WAYOUT_WEBHOOK_PRIVATE = False
    world.token(Scope.WEBHOOKS)
    page = staff.post(ADD, {"token": PartnerToken.objects.get().pk, "url": url, "language": "en"})
    assert page.status_code == 200
    assert sentence in page.text
    assert Endpoint.objects.count() == 0


def test_one_address_per_partner(staff: Client, partner: Partner) -> None:
    wish = {"token": PartnerToken.objects.get().pk, "url": partner.endpoint.url, "language": "en"}
    assert "has this address already" in staff.post(ADD, wish).text


def test_the_actions(staff: Client, partner: Partner) -> None:
    assert "The test arrived" in act(staff, LIST, "test", partner.endpoint)
    partner.receiver.behave = lambda _: 410
    assert "did not arrive" in act(staff, LIST, "test", partner.endpoint)
    partner.happens()
    partner.work()
    assert "disabled" in staff.get(LIST).text
    assert "whsec_" in act(staff, LIST, "rotate", partner.endpoint)
    partner.receiver.behave = lambda _: 200
    partner.receiver.secret = ""
    assert "1 event is sent" in act(staff, LIST, "resume", partner.endpoint)
    partner.now = partner.again().created_at.replace(year=2099)
    partner.work()
    delivery = Delivery.objects.get()
    assert delivery.status == "DELIVERED"
    assert delivery.event.message_id in staff.get(f"{DELIVERIES}{delivery.pk}/change/").text
    assert "1 event is sent" in act(staff, DELIVERIES, "send_again", delivery)
    partner.work()
    assert partner.receiver.ids[-2:] == [delivery.event.message_id] * 2
    for search in (delivery.event.message_id, "sub_1"):
        assert f"/delivery/{delivery.pk}/change/" in staff.get(DELIVERIES, {"q": search}).text
    assert f"/delivery/{delivery.pk}/change/" not in staff.get(DELIVERIES, {"q": "sub_2"}).text
    assert "sent" in act(staff, LIST, "replay_week", partner.endpoint)
    staff.post(f"{LIST}{partner.endpoint.pk}/delete/", {"post": "yes"})
    assert Endpoint.objects.count() == 0
    assert AuditEvent.objects.filter(action="webhook.removed").count() == 1


def test_who_may_only_look_changes_nothing(agent: User, partner: Partner) -> None:
    codenames = ["view_endpoint", "view_delivery"]
    agent.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client()
    client.force_login(agent)
    partner.happens()
    before = list(Endpoint.objects.values())
    assert client.get(LIST).status_code == 200
    for action in ("test", "rotate", "resume", "replay_week"):
        act(client, LIST, action, partner.endpoint)
    act(client, DELIVERIES, "send_again", Delivery.objects.get())
    assert client.post(ADD, {}).status_code == 403
    assert list(Endpoint.objects.values()) == before
    assert partner.receiver.asked == 0


def test_the_deliveries_cost_the_same_with_one_and_with_many(staff: Client, partner: Partner) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert staff.get(DELIVERIES).status_code == 200
        return len(queries)

    partner.happens()
    one = cost()
    for _ in range(20):
        partner.happens()
    assert cost() == one


def test_an_endpoint_whose_key_is_not_named_says_so(staff: Client, partner: Partner, settings: Any) -> None:
    before = key_id(settings.SECRET_KEY)
    rotate(settings)
    # Who signed in before comes in, and does so under the new key from now on.
    assert staff.get(LIST).status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    page = staff.get(f"{LIST}{partner.endpoint.pk}/change/")
    assert page.status_code == 200
    assert f"name the key {before} again, or rotate the secret" in page.text
