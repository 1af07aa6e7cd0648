"""The feed over GraphQL: what a token sees, once, in order; and what it is told when it comes too late."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from desk.events import CallEvent
from subscriptions.events import SubscriptionEvent
from tenants.callers import Role, Scope
from tests.builders import NOW
from tests.graphql.documents import EVENTS
from tests.world import Api, World
from webhooks.deliveries import message_of
from webhooks.events import publish
from webhooks.feed import KEPT_FOR, forget_events
from webhooks.models import Event

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def frozen() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def api(world: World) -> Api:
    return Api(token=world.token(Scope.EVENTS))


def happens(world: World, count: int = 1, type: Any = SubscriptionEvent.USERS_REMOVED) -> list[str]:
    """Their ids."""
    made = []
    for n in range(count):
        with transaction.atomic():
            event = publish(
                type=type, key=f"{type}:{Event.objects.count()}", tenant_id=world.tenant.pk, subject="sub_1",
                describe=lambda n=n: {"removedUsers": n}, now=NOW,
            )  # fmt: skip
        assert event
        made.append(event.message_id)
    return made


def read(api: Api, **given: Any) -> list[str]:
    return [edge["node"]["id"] for edge in api(EVENTS, **given)["events"]["edges"]]


def code_of(api: Api, **given: Any) -> str:
    [error] = api.raw(EVENTS, **given)["errors"]
    found: str = error["extensions"]["code"]
    return found


def test_a_page_says_what_a_webhook_says(world: World, api: Api) -> None:
    [first, second] = happens(world, 2)
    page = api(EVENTS)["events"]
    assert [edge["node"]["id"] for edge in page["edges"]] == [first, second]
    node = page["edges"][0]["node"]
    assert (node["type"], node["at"], node["version"]) == ("USERS_REMOVED", NOW.isoformat(), 1)
    assert node["payload"] == message_of(Event.objects.get(message_id=first))
    assert json.loads(node["payload"])["data"] == {"removedUsers": 0}
    cursors = [edge["cursor"] for edge in page["edges"]]
    assert page["pageInfo"] == {
        "hasNextPage": False, "hasPreviousPage": False, "startCursor": cursors[0], "endCursor": cursors[1],
    }  # fmt: skip


def test_a_reader_goes_on_by_the_cursor_and_gets_the_rest_once(world: World, api: Api) -> None:
    made, read_so_far, after = happens(world, 5), [], None
    while True:
        page = api(EVENTS, after=after, first=2)["events"]
        read_so_far += [edge["node"]["id"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert read_so_far == made
    assert read(api, after=after) == []
    made += happens(world, 1)
    assert read(api, after=after) == made[-1:]


def test_an_empty_page_has_a_cursor_that_keeps_up(world: World, api: Api) -> None:
    assert api(EVENTS)["events"]["pageInfo"]["endCursor"] == "c-0"
    happens(world, 3)
    page = api(EVENTS, types=["CALLBACK_CLOSED"])["events"]
    assert (page["edges"], page["pageInfo"]["startCursor"], page["pageInfo"]["hasNextPage"]) == ([], None, False)
    after = page["pageInfo"]["endCursor"]
    [called] = happens(world, 1, CallEvent.CALLBACK_CLOSED)
    assert read(api, types=["CALLBACK_CLOSED"], after=after) == [called]
    assert read(api, after=after) == [called]


def test_only_of_tenants_that_the_token_sees(world: World, api: Api) -> None:
    other = World.build()
    [ours], [theirs] = happens(world), happens(other)
    both = Api(token=world.token(Scope.EVENTS, tenants=[world.tenant, other.tenant]))
    assert (read(api), read(both)) == ([ours], [ours, theirs])
    assert read(both, tenantId=f"ten_{other.tenant.pk}") == [theirs]
    assert code_of(api, tenantId=f"ten_{other.tenant.pk}") == code_of(api, tenantId="ten_999999999") == "NOT_FOUND"


def test_a_token_of_the_installation_sees_tenants_that_come_later(world: World) -> None:
    api = Api(token=world.installation_token(Scope.EVENTS))
    made = happens(world)
    later = World.build()
    made += happens(later)
    assert read(api) == made
    assert read(api, tenantId=f"ten_{later.tenant.pk}") == made[1:]
    assert code_of(api, tenantId="ten_999999999") == "NOT_FOUND"


def test_people_and_tokens_without_the_scope_read_nothing(world: World) -> None:
    happens(world)
    for role in Role:
        assert code_of(Api(world.person(role))) == "NOT_PERMITTED"
    assert code_of(Api(token=world.token(Scope.WEBHOOKS, Scope.READ))) == "NOT_PERMITTED"
    assert code_of(Api()) == "NOT_AUTHENTICATED"


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Begin without one, and compare what you have."), ("bg", "Започнете без курсор")],
)
def test_a_reader_that_comes_too_late_is_told_in_its_language(world: World, language: str, said: str) -> None:
    api = Api(token=world.token(Scope.EVENTS), language=language)
    happens(world, 2)
    seen = api(EVENTS, first=1)["events"]["pageInfo"]["endCursor"]
    last = api(EVENTS)["events"]["pageInfo"]["endCursor"]
    forget_events(NOW + KEPT_FOR + timedelta(seconds=1))
    [error] = api.raw(EVENTS, after=seen)["errors"]
    assert error["extensions"] == {"code": "CURSOR_EXPIRED", "path": ["after"]}
    assert said in error["message"]
    assert read(api) == read(api, after=last) == []
    [new] = happens(world)
    assert read(api, after=last) == [new]


@pytest.mark.parametrize("after", ["", "x", "c-", "c--1", "c-01", "c-1-2", "c-٣", "c-99"])
def test_a_cursor_that_never_was_is_refused(world: World, api: Api, after: str) -> None:
    happens(world)
    if after:
        assert code_of(api, after=after) == "INPUT_INVALID"
    else:
        assert len(read(api, after=after)) == 1


@pytest.mark.parametrize("first", [0, -1, 101])
def test_pages_are_bounded(api: Api, first: int) -> None:
    assert code_of(api, first=first) == "INPUT_INVALID"


def test_more_types_than_there_are_is_refused(api: Api) -> None:
    assert code_of(api, types=["CALLBACK_CLOSED"] * 100) == "INPUT_INVALID"


def test_it_costs_the_same_however_much_there_is(world: World) -> None:
    texts = {"tenants": world.token(Scope.EVENTS), "installation": world.installation_token(Scope.EVENTS)}
    [after, _] = [Api(token=text)(EVENTS)["events"]["pageInfo"]["endCursor"] for text in texts.values()]
    for count in (1, 30):
        happens(world, count)
        read(Api(token=texts["tenants"]))
        for text in texts.values():
            with CaptureQueriesContext(connection) as captured:
                assert len(read(Api(token=text), after=after)) >= count
            # The token; whether all have positions, the head, the rows, and the head once more.
            assert len(captured) == 1 + 4


@pytest.mark.parametrize("document", ["{ events { edges { node { id } } } }"])
def test_a_hundred_is_the_default(world: World, api: Api, document: str) -> None:
    made = happens(world, 101)
    assert [edge["node"]["id"] for edge in api(document)["events"]["edges"]] == made[:100]
