"""Webhooks over GraphQL: a partner registers, tests, rotates, replays and removes; in both languages."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from tenants.callers import Scope
from tenants.models import AuditEvent, PartnerToken
from tenants.people import SYSTEM
from tenants.tokens import rotate_token
from tests.builders import NOW
from tests.graphql.documents import (
    REGISTER_WEBHOOK,
    REMOVE_WEBHOOK,
    REPLAY_WEBHOOK,
    ROTATE_WEBHOOK,
    TEST_WEBHOOK,
    WEBHOOKS,
)
from tests.partners import Partner
from tests.world import Api, World
from webhooks import endpoints
from webhooks.endpoints import MAX_ENDPOINTS
from webhooks.models import Endpoint

pytestmark = pytest.mark.django_db
URL = "https://hooks.partner.example/wayout"


@pytest.fixture
def api(world: World) -> Api:
    return Api(token=world.token(Scope.WEBHOOKS))


def register(api: Api, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = api(REGISTER_WEBHOOK, input={"url": URL, **given})["registerWebhook"]
    return found


def test_registering_shows_the_secret_once(api: Api, world: World) -> None:
    made = register(api, events=["REFUND_SETTLED", "CANCELLATION_REQUESTED"], contactEmail="ops@partner.example")
    assert made["secret"].startswith("whsec_")
    webhook = made["webhook"]
    assert (webhook["status"], webhook["waitingEvents"], webhook["lastProblem"]) == ("ACTIVE", 0, None)
    assert sorted(webhook["events"]) == ["CANCELLATION_REQUESTED", "REFUND_SETTLED"]
    again = register(api, events=[])
    assert (again["secret"], again["webhook"]["id"], again["webhook"]["events"]) == (None, webhook["id"], [])
    assert api(WEBHOOKS)["webhooks"] == [again["webhook"]]
    rows = list(Endpoint.objects.values())
    assert made["secret"] not in str(rows)
    trail = AuditEvent.objects.filter(tenant=world.tenant, action__startswith="webhook").order_by("position")
    assert list(trail.values_list("action", flat=True)) == ["webhook.registered", "webhook.changed"]


@pytest.mark.parametrize(
    ("given", "path", "en", "bg"),
    [
        ({"url": ""}, "url", None, None),
        ({"url": "x" * 501}, "url", None, None),
        ({"url": "hooks"}, "url", "This is no address", "Това не е адрес"),
        ({"url": "http://hooks.partner.example"}, "url", "by https alone", "само по https"),
        ({"url": "https://10.0.0.1/"}, "url", "private addresses", "частни адреси"),
        ({"contactEmail": "nobody"}, "contactEmail", "no email address", "не е имейл адрес"),
    ],
)
def test_what_cannot_be_is_told_in_both_languages(
    world: World, settings: Any, given: dict[str, str], path: str, en: str | None, bg: str | None
) -> None:
    settings.WAYOUT_WEBHOOK_PRIVATE = False
    for language, sentence in (("en", en), ("bg", bg)):
        found = register(Api(token=world.token(Scope.WEBHOOKS), language=language), **given)
        assert (found["code"], found["path"]) == ("INPUT_INVALID", ["input", path])
        assert sentence is None or sentence in found["message"]
    assert Endpoint.objects.count() == 0


def test_an_event_that_does_not_exist_is_refused(api: Api) -> None:
    assert api.raw(REGISTER_WEBHOOK, input={"url": URL, "events": ["COFFEE"]})["errors"]


def test_a_partner_has_ten_at_most(api: Api) -> None:
    for n in range(MAX_ENDPOINTS):
        assert register(api, url=f"{URL}/{n}")["secret"]
    refused = register(api, url=f"{URL}/more")
    assert (refused["code"], refused["path"]) == ("INPUT_INVALID", ["input", "url"])
    assert len(api(WEBHOOKS)["webhooks"]) == MAX_ENDPOINTS
    assert register(api, url=f"{URL}/3")["secret"] is None


def test_it_stays_the_partners_when_the_token_is_rotated(api: Api) -> None:
    webhook = register(api)["webhook"]
    token = PartnerToken.objects.latest("pk")
    _, text = rotate_token(token=token, overlap=timedelta(days=7), caller=SYSTEM, now=NOW)
    assert Api(token=text)(WEBHOOKS)["webhooks"] == [webhook]


def test_a_test_says_what_came_back(partner: Partner) -> None:
    api, wish = Api(token=partner.token), {"webhookId": f"whk_{partner.endpoint.pk}"}
    found = api(TEST_WEBHOOK, input=wish)["testWebhook"]
    assert (found["arrived"], found["status"], found["problem"]) == (True, 200, None)
    [(message_id, message)] = partner.receiver.accepted
    assert message_id.startswith("evt_")
    assert message["type"] == "webhook.test"
    for behavior, expected in (
        (lambda _: 500, (False, 500, "HTTP 500")),
        (lambda _: 301, (False, 301, "HTTP 301")),
        (lambda _: "hang", (False, None, "TIMEOUT")),
    ):
        partner.receiver.behave = behavior
        found = api(TEST_WEBHOOK, input=wish)["testWebhook"]
        assert (found["arrived"], found["status"], found["problem"]) == expected
    # A test changes nothing of how the webhook stands.
    assert found["webhook"]["status"] == "ACTIVE"
    assert partner.receiver.elsewhere == []


def test_rotating_replaying_and_removing(partner: Partner) -> None:
    api, wish = Api(token=partner.token), {"webhookId": f"whk_{partner.endpoint.pk}"}
    old = partner.receiver.secret
    partner.receiver.secret = api(ROTATE_WEBHOOK, input=wish)["rotateWebhookSecret"]["secret"]
    assert partner.receiver.secret != old
    partner.receiver.behave = lambda _: 410
    partner.happens()
    partner.work()
    [webhook] = api(WEBHOOKS)["webhooks"]
    assert (webhook["status"], webhook["waitingEvents"], webhook["lastProblem"]) == ("DISABLED", 1, "HTTP 410")
    partner.receiver.behave = lambda _: 200
    replayed = api(REPLAY_WEBHOOK, input=wish)["replayWebhook"]
    assert (replayed["events"], replayed["webhook"]["status"]) == (1, "ACTIVE")
    partner.now += timedelta(days=20)
    partner.work()
    assert len(partner.receiver.ids) == 1
    again = api(REPLAY_WEBHOOK, input={**wish, "since": NOW.isoformat()})["replayWebhook"]
    assert again["events"] == 1
    assert api(REMOVE_WEBHOOK, input=wish)["removeWebhook"]["webhookId"] == wish["webhookId"]
    assert api(WEBHOOKS)["webhooks"] == []
    assert api(REMOVE_WEBHOOK, input=wish)["removeWebhook"]["code"] == "NOT_FOUND"


def test_the_list_costs_the_same_with_one_and_with_ten(api: Api) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            api(WEBHOOKS)
        return len(queries)

    register(api)
    one = cost()
    for n in range(MAX_ENDPOINTS - 1):
        register(api, url=f"{URL}/{n}")
    assert cost() == one


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("late", "kept"), [(200, ("ACTIVE", None, True)), (500, ("ACTIVE", "HTTP 500", False))], ids=["arrives", "fails"]
)
def test_nobody_waits_longer_than_a_second_and_the_result_follows(
    partner: Partner, monkeypatch: pytest.MonkeyPatch, late: int, kept: tuple[str, str | None, bool]
) -> None:
    go = threading.Event()

    def slowly(_: Any) -> int:
        go.wait(10)
        return late

    partner.receiver.behave = slowly
    monkeypatch.setattr(endpoints, "_TIMEOUT", 0.05)
    monkeypatch.setattr(endpoints, "_TEST_SECONDS", 10.0)
    monkeypatch.setattr(settings, "WAYOUT_WEBHOOK_TIMEOUT", 10)
    api, wish = Api(token=partner.token), {"webhookId": f"whk_{partner.endpoint.pk}"}
    found = api(TEST_WEBHOOK, input=wish)["testWebhook"]
    assert (found["arrived"], found["status"], found["problem"]) == (False, None, "STILL_WAITING")
    assert not AuditEvent.objects.filter(action="webhook.tested").exists()
    go.set()
    for _ in range(100):
        if AuditEvent.objects.filter(action="webhook.tested").exists():
            break
        time.sleep(0.05)
    [webhook] = api(WEBHOOKS)["webhooks"]
    assert (webhook["status"], webhook["lastProblem"], webhook["lastDeliveredAt"] is not None) == kept
    assert AuditEvent.objects.get(action="webhook.tested").data["status"] == late


def test_when_too_many_tests_wait_the_next_is_told_so(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "_MAX_WAITING", 0)
    answer = Api(token=partner.token).post(TEST_WEBHOOK, input={"webhookId": f"whk_{partner.endpoint.pk}"})
    assert answer.json()["data"]["testWebhook"]["code"] == "RATE_LIMITED"
    assert answer["Retry-After"] == "5"
    assert partner.receiver.accepted == []
