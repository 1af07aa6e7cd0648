"""The subgraph: behind a credential, entities by batches, the authorization of the public entry point."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from graphql import parse

from common.public_ids import Kind
from portal.graphql.subgraph import ENTITIES, sdl
from portal.graphql.types.node import make_id
from subscriptions.models import Cancellation, DirectoryUser
from tenants.callers import Scope
from tests.builders import NOW
from tests.desk.test_desk import ask
from tests.graphql.test_access import everything
from tests.subscriptions.test_lifecycle import cancel
from tests.world import ACTING_SCOPES, World

pytestmark = pytest.mark.django_db
SECRET = "a credential that is long enough for a gateway"
QUERY = """query ($of: [_Any!]!) { _entities(representations: $of) { __typename
  ... on ProductSubscription { id name assignedLicenses cancellationOptions { route options { route message } } }
  ... on Tenant { id name }
  ... on Cancellation { id reference refunds { amount { formatted } } subscription { id } }
  ... on Refund { id amount { formatted } overdue }
  ... on CallbackRequest { id phone subscription { id } }
  ... on DirectoryUser { id displayName }
} }"""


@pytest.fixture(autouse=True)
def _frozen_with_a_gateway(settings: LazySettings) -> Iterator[None]:
    settings.WAYOUT_GATEWAY_SECRET = SECRET
    with time_machine.travel(NOW, tick=False):
        yield


def send(query: str, token: str | None, gateway: str = SECRET, client: Client | None = None, **variables: Any) -> Any:
    headers = {"Wayout-Gateway": gateway} | ({"Authorization": f"Bearer {token}"} if token else {})
    return (client or Client()).post(
        "/subgraph/", json.dumps({"query": query, "variables": variables}), "application/json", headers=headers
    )


def entities(token: str, *representations: Any) -> Any:
    return send(QUERY, token, of=list(representations)).json()


def one(kind: Kind, pk: int) -> dict[str, str]:
    name = next(name for name, of in ENTITIES.items() if of is kind)
    return {"__typename": name, "id": make_id(kind, pk)}


def test_without_the_credential_there_is_nothing(world: World, settings: LazySettings) -> None:
    token = world.token(*ACTING_SCOPES)
    for shown in ("", "x", SECRET[:-1]):
        assert send("{ viewer { id } }", token, gateway=shown).status_code == 404
    assert send("{ viewer { id } }", token).json()["data"]["viewer"]
    settings.WAYOUT_GATEWAY_SECRET = ""
    for shown in ("", SECRET):
        assert send("{ viewer { id } }", token, gateway=shown).status_code == 404


def test_a_cookie_that_the_gateway_passes_on_is_no_sign_in(world: World) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.admin)
    answer = send("{ viewer { id } }", None, client=client).json()
    assert answer["errors"][0]["extensions"]["code"] == "NOT_AUTHENTICATED"


def test_the_service_says_what_it_is(world: World) -> None:
    said = send("{ _service { sdl } }", None).json()["data"]["_service"]["sdl"]
    assert said == sdl()
    parse(said)
    for name in ENTITIES:
        assert f'type {name} implements Node @key(fields: "id")' in said
    assert "type PageInfo @shareable" in said
    assert "_entities" not in said
    assert "Signed and expiring: cancelSubscription executes it to the cent or refuses." in said


def everyone(world: World, phone: int = 0) -> list[dict[str, str]]:
    subscription = world.subscription(3)
    canceled = cancel(world, subscription)
    call = ask(world, f"0888 123 {100 + phone}")
    user = DirectoryUser.objects.filter(tenant=world.tenant).first()
    assert user
    return [
        one(Kind.SUBSCRIPTION, subscription.pk), one(Kind.TENANT, world.tenant.pk),
        one(Kind.CANCELLATION, canceled.pk), one(Kind.REFUND, canceled.refunds.get().pk),
        one(Kind.CALLBACK, call.pk), one(Kind.USER, user.pk),
    ]  # fmt: skip


def test_each_kind_of_entity_in_the_order_asked_for(world: World) -> None:
    asked = everyone(world)
    answer = entities(world.token(*ACTING_SCOPES), *asked, asked[0])
    assert "errors" not in answer
    found = answer["data"]["_entities"]
    assert [(one["__typename"], one["id"]) for one in found] == [
        (one["__typename"], one["id"]) for one in [*asked, asked[0]]
    ]
    assert found[2]["refunds"][0]["amount"]["formatted"] == found[3]["amount"]["formatted"]


def test_what_is_missing_foreign_or_malformed_is_null_with_an_error_of_its_own(world: World) -> None:
    asked, foreign = everyone(world), everyone(World.build())
    [good, *_], token = asked, world.token(*ACTING_SCOPES)
    bad: list[Any] = [
        *foreign, {"__typename": "ProductSubscription", "id": "sub_999999"},
        {"__typename": "Tenant", "id": good["id"]}, {"__typename": "ProductSubscription", "id": " sub_1"},
        {"__typename": "ProductSubscription"}, {"__typename": "ProductSubscription", "id": 1}, {"__typename": "Query", "id": "sub_1"},
        {"id": good["id"]}, {"__typename": ["x"], "id": good["id"]}, "sub_1", 5, [],
    ]  # fmt: skip
    answer = entities(token, good, *bad, good)
    found = answer["data"]["_entities"]
    assert found[0] == found[-1]
    assert found[1:-1] == [None] * len(bad)
    assert [error["path"] for error in answer["errors"]] == [["_entities", n + 1] for n in range(len(bad))]
    codes = [error["extensions"]["code"] for error in answer["errors"]]
    assert codes[:9] == ["NOT_FOUND"] * 9
    assert set(codes[9:]) == {"INPUT_INVALID"}


def test_scopes_hold_here_too(world: World) -> None:
    asked = everyone(world)
    read = entities(world.token(Scope.READ), *asked)
    assert [one is None for one in read["data"]["_entities"]] == [False] * 5 + [True]
    assert read["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
    assert read["data"]["_entities"][4]["phone"].count("*") > 3
    nothing = send(QUERY, None, of=asked).json()
    assert nothing["errors"][0]["extensions"]["code"] == "NOT_AUTHENTICATED"
    refused = entities(world.token(Scope.CALLBACK), asked[0])
    assert refused["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"


def test_more_than_a_hundred_at_once_are_refused(world: World) -> None:
    answer = entities(world.token(*ACTING_SCOPES), *[one(Kind.TENANT, 1)] * 101)
    assert answer["errors"][0]["extensions"]["code"] == "INPUT_INVALID"


def test_fifty_cost_as_many_queries_as_two(world: World) -> None:
    token, asked = world.token(*ACTING_SCOPES), []
    for number in range(9):
        asked += everyone(world, number)
    entities(token, asked[0])  # notes that the token was used
    counted = {}
    for count in (12, 54):
        with CaptureQueriesContext(connection) as captured:
            answer = entities(token, *asked[:count])
        assert "errors" not in answer
        counted[count] = len(captured)
    assert counted[12] == counted[54]


def test_mutations_work_and_refusals_change_nothing(world: World) -> None:
    subscription, token = world.subscription(3), world.token(Scope.READ, Scope.QUOTE)
    before = everything()
    mutation = 'mutation ($s: ID!) { cancelSubscription(input: {subscriptionId: $s, quoteId: "x", idempotencyKey: "k"})'
    answer = send(mutation + " { ... on Problem { code } } }", token, s=make_id(Kind.SUBSCRIPTION, subscription.pk))
    assert answer.json()["data"]["cancelSubscription"]["code"] == "NOT_PERMITTED"
    assert everything() == before
    assert not Cancellation.objects.exists()
