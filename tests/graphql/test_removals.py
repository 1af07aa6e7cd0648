"""Removals that the directory carries out, over the API: asked for, followed, settled; and what a dry run never says."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from subscriptions.models import CancellationPolicy, DirectoryUser, License, Subscription
from tenants.callers import Role, Scope
from tenants.models import Removals, Tenant
from tests.builders import NOW
from tests.graphql.documents import FOLLOW, LICENSES, ONE, REMOVE, SETTLE
from tests.world import Api, World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]
DRY_REMOVE = """
mutation($input: RemoveUsersInput!) { removeUsers(input: $input) { ... on RemoveUsersSuccess {
  dryRun removalRequest { id } results { outcome message }
  cancellationOptions { route subscription { id assignedLicenses pendingRemovals cancellationOptions { route
      facts { assignedLicenses pendingRemovals } options { quotes { id } } } }
    facts { assignedLicenses pendingRemovals } options { route available quotes { id } } } } } }"""


@pytest.fixture
def frozen() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def hosted(world: World) -> World:
    """A tenant whose host removes licenses."""
    world.tenant.removals, world.tenant.external_id = Removals.HOST.value, "c-1"
    world.tenant.save()
    return world


def bought(world: World, assigned: int, **given: Any) -> Subscription:
    """A subscription that the host knows, and all its holders."""
    subscription = world.subscription(assigned, external_id=f"s-{world.tenant.pk}", **given)
    for user in DirectoryUser.objects.filter(licenses__subscription=subscription):
        user.external_id = f"u-{user.pk}"
        user.save()
    return subscription


def holders(subscription: Subscription) -> list[DirectoryUser]:
    held = License.objects.held().filter(subscription=subscription).select_related("user").order_by("pk")
    return [license.user for license in held]


def remove(api: Api, subscription: Subscription, users: list[DirectoryUser], **given: Any) -> dict[str, Any]:
    ids = [f"usr_{user.pk}" for user in users]
    answer: dict[str, Any] = api(REMOVE, input={"subscriptionId": f"sub_{subscription.pk}", "userIds": ids, **given})
    removed: dict[str, Any] = answer["removeUsers"]
    return removed


def settle(api: Api, *said: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = api(SETTLE, input={"removals": list(said)})["settleRemovals"]
    return answer


def of(user: DirectoryUser, subscription: Subscription, *, confirmed: bool = True, **given: Any) -> dict[str, Any]:
    ids = {"userExternalId": user.external_id, "subscriptionExternalId": subscription.external_id}
    return {**ids, "confirmed": confirmed, **given}


def test_from_asking_to_the_way_that_opens(hosted: World) -> None:
    subscription = bought(hosted, 26)
    api, host = Api(hosted.admin), Api(token=hosted.token(Scope.SYNC))
    chosen = holders(subscription)[:2]
    answer = remove(api, subscription, chosen)
    assert [result["outcome"] for result in answer["results"]] == ["REQUESTED"] * 2
    assert answer["results"][0]["message"].startswith("Your directory is asked to remove the license")
    assert answer["removedCount"] == 0
    options = answer["cancellationOptions"]
    assert options["facts"] == {"assignedLicenses": 26, "pendingRemovals": 2}
    assert options["headline"] == (
        "2 removals are with your directory; online canceling opens when they are confirmed."
    )
    found = {option["route"]: option for option in options["options"]}
    assert options["route"] == "REMOVE_USERS"
    assert found["REMOVE_USERS"] == {
        "route": "REMOVE_USERS", "reason": "REMOVALS_PENDING", "usersToRemove": 0, "available": True,
    }  # fmt: skip
    assert (found["CANCEL_ONLINE"]["reason"], found["CANCEL_ONLINE"]["available"]) == ("REMOVALS_PENDING", False)
    assert found["REQUEST_CALLBACK"]["available"]
    request = answer["removalRequest"]
    assert (request["requested"], request["confirmed"], request["refused"], request["refusals"]) == (2, 0, 0, [])
    assert request["subscription"] == {"id": f"sub_{subscription.pk}", "assignedLicenses": 26, "pendingRemovals": 2}

    assert settle(host, of(chosen[0], subscription), of(chosen[1], subscription)) == {
        "__typename": "SettleRemovalsSuccess", "settled": 2, "conflicts": [], "unknown": [],
    }  # fmt: skip
    followed = api(FOLLOW, id=request["id"])["removalRequest"]
    assert (followed["requested"], followed["confirmed"]) == (0, 2)
    assert followed["subscription"]["assignedLicenses"] == 24
    one = api(ONE, id=f"sub_{subscription.pk}")["subscription"]
    assert (one["cancellationOptions"]["route"], one["pendingRemovals"]) == ("CANCEL_ONLINE", 0)


def test_what_is_with_the_directory_is_said_in_bulgarian(hosted: World) -> None:
    subscription, api = bought(hosted, 27), Api(hosted.admin, language="bg")
    users = holders(subscription)
    first = remove(api, subscription, users[:1])
    assert first["cancellationOptions"]["headline"] == (
        "Присвоени са 27 лиценза. 1 отнемане на лиценз чака вашия указател. Премахнете 2 потребители, за да анулирате"
        " онлайн."
    )
    assert first["results"][0]["message"] == (
        "Поискано е вашият указател да отнеме лиценза; той се брои, докато отнемането бъде потвърдено."
    )
    then = remove(api, subscription, users[:3])
    assert then["cancellationOptions"]["headline"] == (
        "3 отнемания на лицензи чакат вашия указател; ще можете да анулирате онлайн, когато бъдат потвърдени."
    )


def test_a_refusal_says_why_and_counts_on(hosted: World) -> None:
    subscription = bought(hosted, 25)
    [chosen] = holders(subscription)[:1]
    api, host = Api(hosted.admin, language="bg"), Api(token=hosted.token(Scope.SYNC))
    request = remove(api, subscription, [chosen])["removalRequest"]["id"]
    text = "Разчита на него Project"
    settle(host, of(chosen, subscription, confirmed=False, reason="DEPENDENT_PRODUCT", text=text))
    followed = api(FOLLOW, id=request)["removalRequest"]
    assert (followed["requested"], followed["refused"]) == (0, 1)
    [refusal] = followed["refusals"]
    assert (refusal["userId"], refusal["outcome"]) == (f"usr_{chosen.pk}", "REFUSED")
    assert refusal["user"]["displayName"] == chosen.display_name
    assert refusal["message"].endswith(text)
    english = Api(hosted.admin, language="en")
    [edge] = [
        edge
        for edge in english(LICENSES, id=f"sub_{subscription.pk}", first=50)["subscription"]["licenses"]["edges"]
        if edge["node"]["removal"]
    ]
    assert edge["node"]["removal"] == {
        "status": "REFUSED", "requestedAt": NOW.isoformat(), "decidedAt": NOW.isoformat(),
        "reason": f"The directory did not remove it: another product of this user depends on it. {text}",
    }  # fmt: skip
    facts = english(ONE, id=f"sub_{subscription.pk}")["subscription"]["cancellationOptions"]
    assert (facts["route"], facts["facts"]["assignedLicenses"]) == ("REMOVE_USERS", 25)
    again = remove(english, subscription, [chosen])
    assert [result["outcome"] for result in again["results"]] == ["REQUESTED"]
    assert again["removalRequest"]["id"] != request


def test_the_directorys_own_words_are_for_admins(hosted: World) -> None:
    subscription = bought(hosted, 25)
    [chosen] = holders(subscription)[:1]
    request = remove(Api(hosted.admin), subscription, [chosen])["removalRequest"]["id"]
    settle(
        Api(token=hosted.token(Scope.SYNC)),
        of(chosen, subscription, confirmed=False, reason="OTHER", text="Ask Ada about it"),
    )
    viewer = Api(hosted.person(Role.VIEWER))
    [refusal] = viewer(FOLLOW, id=request)["removalRequest"]["refusals"]
    assert refusal["message"] == "The directory did not remove it."
    [edge] = [
        edge
        for edge in viewer(LICENSES, id=f"sub_{subscription.pk}", first=50)["subscription"]["licenses"]["edges"]
        if edge["node"]["removal"]
    ]
    assert "Ada" not in edge["node"]["removal"]["reason"]
    by_token = Api(token=hosted.token(Scope.READ))(FOLLOW, id=request)["removalRequest"]["refusals"][0]
    assert (by_token["user"], "Ada" in by_token["message"]) == (None, False)


@pytest.mark.parametrize("removals", [Removals.LOCAL, Removals.HOST])
def test_p11_a_dry_run_says_by_no_id_what_is_not_true(world: World, removals: Removals) -> None:
    Tenant.objects.update(removals=removals)
    subscription = world.subscription(25)
    ids = [f"usr_{user.pk}" for user in holders(subscription)[:2]]
    given = {"subscriptionId": f"sub_{subscription.pk}", "userIds": ids, "dryRun": True}
    answer = Api(world.admin)(DRY_REMOVE, input=given)["removeUsers"]
    options = answer["cancellationOptions"]
    real = options["subscription"]
    assert (real["assignedLicenses"], real["pendingRemovals"]) == (25, 0)
    assert real["cancellationOptions"]["facts"] == {"assignedLicenses": 25, "pendingRemovals": 0}
    assert real["cancellationOptions"]["route"] == "REMOVE_USERS"
    assert {str(option["quotes"]) for option in options["options"]} == {"None"}
    assert answer["removalRequest"] is None
    if removals == Removals.LOCAL:
        assert (options["route"], options["facts"]) == ("CANCEL_ONLINE", {"assignedLicenses": 23, "pendingRemovals": 0})
    else:
        assert (options["route"], options["facts"]) == ("REMOVE_USERS", {"assignedLicenses": 25, "pendingRemovals": 2})
        assert {result["message"] for result in answer["results"]} == {
            "Your directory would be asked to remove the license; it would count until that is confirmed."
        }


def test_a_key_answers_the_same_request_again(hosted: World) -> None:
    subscription = bought(hosted, 26)
    chosen, api = holders(subscription)[:2], Api(hosted.admin)
    first = remove(api, subscription, chosen, idempotencyKey="k")
    assert remove(api, subscription, chosen, idempotencyKey="k") == first
    # Without the key it joins, and answers where to follow it, too.
    joined = remove(api, subscription, chosen)
    assert joined["removalRequest"]["id"] == first["removalRequest"]["id"]
    assert [result["outcome"] for result in joined["results"]] == ["REQUESTED"] * 2
    settle(Api(token=hosted.token(Scope.SYNC)), of(chosen[0], subscription))
    # As it is now, of what was answered then.
    again = remove(api, subscription, chosen, idempotencyKey="k")
    assert again["results"] == first["results"]
    assert (again["removalRequest"]["requested"], again["removalRequest"]["confirmed"]) == (1, 1)


def test_a_policy_that_trusts_opens_the_way_at_once(hosted: World) -> None:
    CancellationPolicy.objects.update(count_requested_removals=True)
    subscription = bought(hosted, 25)
    options = remove(Api(hosted.admin), subscription, holders(subscription)[:1])["cancellationOptions"]
    assert (options["route"], options["headline"]) == (
        "CANCEL_ONLINE", "You can cancel online: 24 licenses are assigned.",
    )  # fmt: skip
    assert options["facts"] == {"assignedLicenses": 25, "pendingRemovals": 1}


def test_more_than_a_thousand_at_once_and_what_cannot_be_read(hosted: World) -> None:
    subscription, host = bought(hosted, 1), Api(token=hosted.token(Scope.SYNC))
    [user] = holders(subscription)
    said = of(user, subscription)
    assert settle(host, *[said] * 1_000)["unknown"] == [user.external_id] * 1_000
    problem = settle(host, *[said] * 1_001)
    assert (problem["code"], problem["path"]) == ("INPUT_INVALID", ["input", "removals"])
    said["confirmed"] = False
    problem = settle(host, said, {**said, "text": "a\u0000b"})
    assert (problem["code"], problem["path"]) == ("INPUT_INVALID", ["input", "removals", "1", "text"])
    problem = settle(host, {**said, "text": "x" * 501})
    assert (problem["code"], problem["path"]) == ("INPUT_INVALID", ["input", "removals", "0", "text"])


def test_of_several_tenants_each_is_named(hosted: World) -> None:
    other = World.build(external_id="c-2", removals="HOST")
    mine, theirs = bought(hosted, 2), bought(other, 2)
    token = hosted.token(Scope.SYNC, tenants=[hosted.tenant, other.tenant])
    host, users = Api(token=token), [holders(mine)[0], holders(theirs)[0]]
    for world, subscription, user in zip((hosted, other), (mine, theirs), users, strict=True):
        remove(Api(world.admin), subscription, [user])
    problem = settle(host, of(users[0], mine))
    assert (problem["code"], problem["path"]) == ("INPUT_INVALID", ["input", "removals", "0", "tenantExternalId"])
    said = [
        of(users[0], mine, tenantExternalId="c-1"),
        of(users[0], mine, tenantExternalId="c-2"),
        of(users[1], theirs, tenantExternalId="c-2"),
    ]
    found = settle(host, *said)
    assert (found["settled"], found["unknown"]) == (2, [users[0].external_id])


def test_following_and_lists_ask_no_more_for_more_removals(hosted: World) -> None:
    subscription = bought(hosted, 60)
    api, host, everybody = Api(hosted.admin), Api(token=hosted.token(Scope.SYNC)), holders(subscription)
    request = remove(api, subscription, everybody[:50])["removalRequest"]["id"]
    settle(host)  # notes that the token is used
    counted = []
    for chosen in (everybody[:2], everybody[2:50]):
        refused = [of(user, subscription, confirmed=False, reason="OTHER") for user in chosen]
        with CaptureQueriesContext(connection) as settled:
            settle(host, *refused)
        with CaptureQueriesContext(connection) as followed:
            api(FOLLOW, id=request)
        with CaptureQueriesContext(connection) as listed:
            api(LICENSES, id=f"sub_{subscription.pk}", first=50)
        counted.append((len(settled), len(followed), len(listed)))
    assert counted == [(20, 8, 8)] * 2
