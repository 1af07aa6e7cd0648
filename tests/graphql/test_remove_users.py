"""Remove users over the API: one outcome per user, never all or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from subscriptions.models import DirectoryUser, License, Subscription
from tenants.callers import Scope
from tenants.models import AuditEvent
from tests.builders import NOW
from tests.graphql.documents import REMOVE
from tests.world import Api, World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


@pytest.fixture
def frozen() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def remove(api: Api, subscription: Subscription, users: list[Any], **given: Any) -> dict[str, Any]:
    ids = [f"usr_{user.pk}" if isinstance(user, DirectoryUser) else str(user) for user in users]
    answer: dict[str, Any] = api(REMOVE, input={"subscriptionId": f"sub_{subscription.pk}", "userIds": ids, **given})[
        "removeUsers"
    ]
    return answer


def holders(subscription: Subscription) -> list[DirectoryUser]:
    return [
        license.user
        for license in License.objects.held().filter(subscription=subscription).select_related("user").order_by("pk")
    ]


def outcomes(answer: dict[str, Any]) -> list[str]:
    return [result["outcome"] for result in answer["results"]]


def test_remove_one_of_25_and_the_way_is_open(world: World) -> None:
    subscription = world.subscription(25)
    answer = remove(Api(world.admin), subscription, holders(subscription)[:1])
    assert (answer["removedCount"], answer["dryRun"], outcomes(answer)) == (1, False, ["REMOVED"])
    assert answer["results"][0]["message"] == "The license was removed."
    options = answer["cancellationOptions"]
    assert (options["route"], options["facts"]["assignedLicenses"]) == ("CANCEL_ONLINE", 24)


def test_dry_run_answers_the_same_and_changes_nothing(world: World) -> None:
    subscription = world.subscription(26, by_group=1)
    chosen = holders(subscription)[-4:]
    api = Api(world.admin)
    before = list(License.objects.values_list("pk", "is_direct", "removed_at"))
    dry = remove(api, subscription, chosen, dryRun=True, idempotencyKey="k")
    assert list(License.objects.values_list("pk", "is_direct", "removed_at")) == before
    assert not AuditEvent.objects.exists()
    real = remove(api, subscription, chosen, idempotencyKey="k")
    assert outcomes(dry) == outcomes(real) == ["REMOVED"] * 3 + ["GROUP_INHERITED"]
    assert dry["cancellationOptions"] == real["cancellationOptions"]
    assert dry["removalRequest"] is None
    assert dry["results"][0]["message"] == "The license would be removed."


def test_every_outcome(world: World) -> None:
    subscription, other = world.subscription(3, by_group=1), world.subscription(1)
    direct, direct_too, _third, inherited = holders(subscription)
    [both] = world.users(1)
    license = License.objects.create(subscription=subscription, user=both, is_direct=True, is_inherited=True)
    license.groups.add(License.objects.get(user=inherited).groups.get())
    elsewhere = holders(other)[0]
    stranger = World.build().users(1)[0]
    given = [direct, inherited, both, elsewhere, stranger, direct, "nonsense", " usr_1", "usr_999999999", direct_too]
    answer = remove(Api(world.admin, language="bg"), subscription, given)
    assert outcomes(answer) == [
        "REMOVED",
        "GROUP_INHERITED",
        "STILL_ASSIGNED_BY_GROUP",
        "NOT_ASSIGNED",
        "NOT_FOUND",
        "DUPLICATE",
        "NOT_FOUND",
        "NOT_FOUND",
        "NOT_FOUND",
        "REMOVED",
    ]
    results = answer["results"]
    assert [result["groupNames"] for result in results[:3]] == [[], ["Sales"], ["Sales"]]
    assert "Sales" in results[1]["message"]
    assert results[6]["userId"] == "nonsense"
    assert results[4]["user"] is None
    assert answer["removedCount"] == 2
    # Case 9: the one with both loses the direct license and still counts.
    assert answer["cancellationOptions"]["facts"]["assignedLicenses"] == 3
    [event] = AuditEvent.objects.all()
    assert (event.action, event.data["removed"]) == ("users.removed", 2)


def test_repeating_is_harmless(world: World) -> None:
    subscription = world.subscription(3)
    chosen = holders(subscription)[:2]
    api = Api(world.admin)
    remove(api, subscription, chosen)
    assert outcomes(remove(api, subscription, chosen)) == ["NOT_ASSIGNED", "NOT_ASSIGNED"]
    assert AuditEvent.objects.count() == 1


def test_the_same_key_answers_the_same_outcomes(world: World) -> None:
    subscription = world.subscription(3, by_group=1)
    chosen = holders(subscription)
    api = Api(world.admin)
    first = remove(api, subscription, chosen, idempotencyKey="k")
    again = remove(api, subscription, chosen, idempotencyKey="k")
    assert again == first
    other = remove(api, subscription, chosen[:1], idempotencyKey="k")
    assert (other["code"], other["path"]) == ("IDEMPOTENCY_KEY_REUSED", ["input", "idempotencyKey"])


def test_case_15_ten_of_a_thousand(world: World) -> None:
    subscription = world.subscription(30)
    known = [f"usr_{user.pk}" for user in holders(subscription)[:10]]
    unknown = [f"usr_{number}" for number in range(10**9, 10**9 + 990)]
    answer = remove(Api(world.admin), subscription, [*known, *unknown])
    assert outcomes(answer) == ["REMOVED"] * 10 + ["NOT_FOUND"] * 990


def test_ten_thousand_in_one_call_and_not_one_more(world: World) -> None:
    subscription = world.subscription(2)
    api = Api(world.admin)
    unknown = [f"usr_{number}" for number in range(10**9, 10**9 + 9_999)]
    answer = remove(api, subscription, [holders(subscription)[0], *unknown])
    assert (answer["removedCount"], len(answer["results"])) == (1, 10_000)
    problem = remove(api, subscription, [*holders(subscription), *unknown, "usr_1"])
    assert (problem["code"], problem["path"]) == ("TOO_MANY_USERS", ["input", "userIds"])
    assert "10000" in problem["message"].replace(",", "")
    assert len(holders(subscription)) == 1


def test_queries_do_not_grow_with_the_users(world: World) -> None:
    subscription = world.subscription(60, by_group=20)
    api = Api(world.admin)
    remove(api, subscription, holders(subscription)[:1])  # makes the head of the audit trail
    counted = []
    for chosen in (holders(subscription)[:2], holders(subscription)[2:50]):
        with CaptureQueriesContext(connection) as captured:
            remove(api, subscription, chosen)
        counted.append(len(captured))
    assert counted == [21, 21]


@pytest.mark.parametrize(
    ("given", "available", "reason_in_message"),
    [
        ({}, True, ""),
        ({"base_status": "SUSPENDED"}, True, ""),
        ({"is_trial": True}, True, ""),
        ({"canceled_mode": "AT_PERIOD_END", "ends_at": NOW + timedelta(days=3)}, True, ""),
        ({"base_status": "EXPIRED"}, False, "already ended"),
        ({"channel": "PARTNER", "partner_name": "Fabrikam"}, False, "Fabrikam"),
        ({"renews": False, "period_end": NOW - timedelta(days=1)}, False, "already ended"),
    ],
)
def test_where_users_can_be_removed(
    world: World, given: dict[str, Any], available: bool, reason_in_message: str
) -> None:
    subscription = world.subscription(3, **given)
    answer = remove(Api(world.admin), subscription, holders(subscription)[:1])
    if available:
        assert outcomes(answer) == ["REMOVED"]
    else:
        assert (answer["__typename"], answer["code"]) == ("NotAvailableProblem", "ROUTE_NOT_AVAILABLE")
        assert reason_in_message in answer["message"]
        assert len(holders(subscription)) == 3


def test_names_are_shown_only_with_the_scope_for_them(world: World) -> None:
    subscription = world.subscription(2)
    chosen = holders(subscription)
    without = remove(Api(token=world.token(Scope.REMOVE_USERS)), subscription, chosen[:1])
    assert (outcomes(without), without["results"][0]["user"]) == (["REMOVED"], None)
    with_names = remove(Api(token=world.token(Scope.REMOVE_USERS, Scope.READ_USERS)), subscription, chosen[1:])
    assert with_names["results"][0]["user"]["displayName"]
