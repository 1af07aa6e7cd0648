"""Options and the list: what is shown, in which language, at what cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.models import PaymentMethod
from common.references import new_reference
from subscriptions.models import Cancellation, CancellationPolicy, License, Plan, Subscription
from subscriptions.policy.facts import Mode, Status
from subscriptions.policy.status import is_in_service
from subscriptions.publishing import publish_policy
from subscriptions.selectors import lists
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.callers import Role
from tests.builders import NOW, PERIOD
from tests.graphql.documents import LICENSES, LIST, ONE, OPTIONS
from tests.world import ACTING_SCOPES, Api, World

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("language", "headline"),
    [
        ("en", "26 licenses are assigned. Remove 2 users to cancel online."),
        ("bg", "Присвоени са 26 лиценза. Премахнете 2 потребители, за да анулирате онлайн."),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_over_the_limit_in_both_languages(world: World, language: str, headline: str) -> None:
    subscription = world.subscription(26)
    options = Api(world.admin, language=language)(OPTIONS, id=f"sub_{subscription.pk}")["cancellationOptions"]
    assert options["route"] == "REMOVE_USERS"
    assert options["headline"] == headline
    assert [o["route"] for o in options["options"] if o["available"]] == ["REMOVE_USERS", "REQUEST_CALLBACK"]
    assert len(options["options"]) == 6
    assert options["options"][0]["usersToRemove"] == 2


@pytest.mark.parametrize(("assigned", "to_remove"), [(21, 1), (22, 2), (41, 21)])
@time_machine.travel(NOW, tick=False)
def test_case_64_plurals(world: World, assigned: int, to_remove: int) -> None:
    policy = CancellationPolicy(name="Twenty", tenant=world.tenant, online_license_limit=21)
    world.subscription(assigned)
    publish_policy(caller=world.caller(), policy=policy, instead_of=None, language="en", now=NOW)
    [subscription] = Subscription.objects.all()
    options = Api(world.admin, language="bg")(OPTIONS, id=f"sub_{subscription.pk}")["cancellationOptions"]
    users = "1 потребител" if to_remove == 1 else f"{to_remove} потребители"
    assert options["headline"] == f"Присвоени са {assigned} лиценза. Премахнете {users}, за да анулирате онлайн."


@time_machine.travel(NOW, tick=False)
def test_what_the_policy_looked_at(world: World) -> None:
    subscription = world.subscription(20, by_group=4)
    options = Api(world.admin)(OPTIONS, id=f"sub_{subscription.pk}")["cancellationOptions"]
    assert options["facts"] == {
        "isTrial": False,
        "hasPaymentMethod": True,
        "purchasedLicenses": 40,
        "assignedLicenses": 24,
        "pendingRemovals": 0,
        "groupAssignedLicenses": 4,
        "onlineLicenseLimit": 25,
        "limitIsInclusive": False,
        "policyName": "Default",
        "policyVersion": 1,
    }
    assert options["decidedAt"] == NOW.isoformat()


@time_machine.travel(NOW, tick=False)
def test_counting_holders(world: World) -> None:
    # Cases 6 to 9: unassigned seats and soft-deleted users do not count, blocked ones do, direct and group is one.
    subscription = world.subscription(21, purchased_licenses=5)
    world.assign(subscription, 1)
    blocked, deleted = world.users(1, is_blocked=True), world.users(1, deleted_at=NOW)
    for user in (*blocked, *deleted):
        License.objects.create(subscription=subscription, user=user, is_direct=True)
    License.objects.create(subscription=subscription, user=world.users(1)[0], is_direct=True, is_inherited=True)
    License.objects.create(subscription=subscription, user=world.users(1)[0], removed_at=NOW)
    node = Api(world.admin)(ONE, id=f"sub_{subscription.pk}")["subscription"]
    assert node["assignedLicenses"] == 24
    assert (node["unusedLicenses"], node["overAssignedLicenses"]) == (0, 19)
    assert node["cancellationOptions"]["route"] == "CANCEL_ONLINE"


@time_machine.travel(NOW, tick=False)
def test_case_12_a_product_without_a_name_is_shown_by_its_part_number(world: World) -> None:
    subscription = world.subscription(1)
    Plan.objects.filter(pk=subscription.plan_id).update(name="", part_number="SPE_E3")
    assert Api(world.admin)(ONE, id=f"sub_{subscription.pk}")["subscription"]["name"] == "SPE_E3"


@time_machine.travel(NOW, tick=False)
def test_case_2_a_viewer_sees_everything_and_who_can(world: World) -> None:
    subscription = world.subscription()
    options = Api(world.person(Role.VIEWER))(OPTIONS, id=f"sub_{subscription.pk}")["cancellationOptions"]
    assert options["canAct"] is False
    assert options["eligibleRoles"] == ["GLOBAL_ADMIN", "BILLING_ADMIN"]
    assert len(options["options"]) == 6
    assert options["options"][0]["quotes"]


@time_machine.travel(NOW, tick=False)
def test_nobody_knows_of_a_payment_method(world: World) -> None:
    subscription = world.subscription(1, is_trial=True, charged=None)
    PaymentMethod.objects.all().delete()
    world.tenant.billing_account.payment_methods_known = False
    world.tenant.billing_account.save()
    options = Api(world.admin)(OPTIONS, id=f"sub_{subscription.pk}")["cancellationOptions"]
    assert options["facts"]["hasPaymentMethod"] is None
    assert options["options"][0]["reason"] == "TRIAL_CONVERTS"
    assert "may be charged" in options["headline"]


def queries_of(api: Api, query: str, **variables: Any) -> int:
    api(query, **variables)  # parse, validate and open the session once
    with CaptureQueriesContext(connection) as captured:
        api(query, **variables)
    return len(captured)


@time_machine.travel(NOW, tick=False)
def test_options_cost_the_same_whatever_the_license_count(world: World) -> None:
    small, large = world.subscription(1), world.subscription(400, by_group=100)
    token = Api(token=world.token(*ACTING_SCOPES))
    costs = {queries_of(token, OPTIONS, id=f"sub_{s.pk}") for s in (small, large)}
    # token with its tenants, subscription, policies; then charges where it can be quoted, group names where it cannot
    assert costs == {4}


@time_machine.travel(NOW, tick=False)
def test_deciding_reads_no_license(world: World) -> None:
    # Bought twice, and handed out by a group: what that says of holders is for quotes, and for one message.
    subscription, _ = world.subscription(30, by_group=2, plan="E3"), world.subscription(3, plan="E3")
    api = Api(world.admin)
    query = "query($id: ID!) { cancellationOptions(subscriptionId: $id) { headline options { route message } } }"
    with CaptureQueriesContext(connection) as captured:
        api(query, id=f"sub_{subscription.pk}")
    assert not [q["sql"] for q in captured if '"subscriptions_license"' in q["sql"]]


@time_machine.travel(NOW, tick=False)
def test_a_list_of_20_costs_no_more_queries_than_a_list_of_2(world: World) -> None:
    for number in range(20):
        world.subscription(number, by_group=1, plan="E3" if number % 2 else None)
    api = Api(world.admin)
    two, twenty = queries_of(api, LIST, first=2), queries_of(api, LIST, first=20)
    assert two == twenty == 10


@time_machine.travel(NOW, tick=False)
def test_pages_go_through_everything_once_newest_first(world: World) -> None:
    made = [world.subscription(0, charged=None).pk for _ in range(7)]
    api, seen, after = Api(world.admin), [], None
    while True:
        page = api(LIST, first=3, after=after)["subscriptions"]
        assert page["totalCount"] == 7
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        seen += [edge["node"]["id"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == [f"sub_{pk}" for pk in reversed(made)]


@pytest.mark.parametrize("first", [0, -1, 101, 2_000_000_000])
def test_a_page_is_between_1_and_100(world: World, first: int) -> None:
    error = Api(world.admin).raw(LIST, first=first)["errors"][0]["extensions"]
    assert (error["code"], error["path"]) == ("INPUT_INVALID", ["first"])


@pytest.mark.parametrize("after", ["", "x", "c-", "c--1", "c-١", "c-1-2", "c-01", "c-" + "9" * 40, "\x00"])
def test_a_bad_cursor(world: World, after: str) -> None:
    world.subscription(0, charged=None)
    body = Api(world.admin).raw(LIST, after=after)
    if after:
        assert body["errors"][0]["extensions"]["code"] == "INPUT_INVALID"
        assert body["errors"][0]["extensions"]["path"] == ["after"]


@time_machine.travel(NOW, tick=False)
def test_filters(world: World) -> None:
    active = world.subscription(0)
    ended = world.subscription(0, renews=False, period_end=NOW - timedelta(days=1))
    plan = Plan.objects.get(pk=active.plan_id)
    plan.name = "Фактуриране България"
    plan.save()
    api = Api(world.admin)

    def found(**filters: Any) -> list[str]:
        return [edge["node"]["id"] for edge in api(LIST, **filters)["subscriptions"]["edges"]]

    assert found(status=["ACTIVE"]) == [f"sub_{active.pk}"]
    assert found(status=["EXPIRED"]) == [f"sub_{ended.pk}"]
    assert found(status=["ACTIVE", "EXPIRED"]) == [f"sub_{ended.pk}", f"sub_{active.pk}"]
    # Case 63, also decomposed as macOS pastes it, and in Latin letters.
    assert found(search="българия") == [f"sub_{active.pk}"]
    assert found(search="БЪЛГАРИЯ".replace("Й", "Й")) == [f"sub_{active.pk}"]
    assert found(search="fakturirane") == [f"sub_{active.pk}"]
    assert found(search="nothing like it") == []
    assert found(tenantId=f"ten_{world.tenant.pk}", search=world.tenant.domain.upper()) == [
        f"sub_{ended.pk}",
        f"sub_{active.pk}",
    ]


@pytest.mark.parametrize("search", ["x" * 300, "a\x00b"])
def test_a_bad_search(world: World, search: str) -> None:
    error = Api(world.admin).raw(LIST, search=search)["errors"][0]["extensions"]
    assert (error["code"], error["path"]) == ("INPUT_INVALID", ["search"])


@time_machine.travel(NOW, tick=False)
def test_holders_least_recently_active_first_page_by_page(world: World) -> None:
    subscription = world.subscription(0)
    active = [NOW - timedelta(days=3), None, NOW, None, NOW - timedelta(days=3)]
    for last in active:
        [user] = world.users(1, last_active_at=last)
        License.objects.create(subscription=subscription, user=user, is_direct=True)
    api, seen, after = Api(world.admin), [], None
    while True:
        page = api(LICENSES, id=f"sub_{subscription.pk}", first=2, after=after)["subscription"]["licenses"]
        assert page["totalCount"] == 5
        seen += [edge["node"]["user"]["lastActiveAt"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    day = (NOW - timedelta(days=3)).isoformat()
    assert seen == [None, None, day, day, NOW.isoformat()]


@time_machine.travel(NOW, tick=False)
def test_holders_are_found_in_either_alphabet(world: World) -> None:
    subscription = world.subscription(2, by_group=1)
    [ivan] = world.users(1)
    ivan.display_name = "Иван Йорданов"
    ivan.save()
    License.objects.create(subscription=subscription, user=ivan, is_direct=True, is_inherited=True)
    api = Api(world.admin)
    for search in ("иван", "ИВАН ЙОРД", "Ivan Yordanov", "Йорданов"):
        edges = api(LICENSES, id=f"sub_{subscription.pk}", search=search)["subscription"]["licenses"]["edges"]
        [node] = [edge["node"] for edge in edges]
        assert node["user"]["displayName"] == "Иван Йорданов"
        assert (node["sources"], node["removable"]) == (["DIRECT", "GROUP"], False)


@pytest.mark.parametrize("few", [0, 2_000])
@time_machine.travel(NOW, tick=False)
def test_a_search_pages_through_all_it_finds_be_they_few_or_many(
    world: World, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "_BATCH_SIZE", few)
    subscription, elsewhere = world.subscription(0), world.subscription(3)
    for number in range(6):
        [user] = world.users(1, last_active_at=NOW - timedelta(days=number) if number else None)
        user.display_name = "Ada Lovelace" if number % 2 else "Grace Hopper"
        user.save()
        License.objects.create(subscription=subscription, user=user, is_direct=True)
        License.objects.create(subscription=elsewhere, user=user, is_direct=True)
    api, seen, after = Api(world.admin), [], None
    while True:
        found = api(LICENSES, id=f"sub_{subscription.pk}", first=1, after=after, search="lovelace")
        page = found["subscription"]["licenses"]
        assert page["totalCount"] == 3
        seen += [edge["node"]["user"]["lastActiveAt"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    assert seen == [(NOW - timedelta(days=number)).isoformat() for number in (5, 3, 1)]


@time_machine.travel(NOW, tick=False)
@pytest.mark.parametrize(
    ("given", "renews"),
    [
        ({}, True),
        ({"base_status": "SUSPENDED"}, True),
        ({"renews": False}, False),
        ({"base_status": "EXPIRED"}, False),
        ({"is_trial": True, "renews": False, "period_end": NOW}, False),
    ],
)
def test_what_has_ended_does_not_renew(world: World, given: dict[str, Any], renews: bool) -> None:
    subscription = world.subscription(0, **given)
    assert Api(world.admin)(ONE, id=f"sub_{subscription.pk}")["subscription"]["recurringBilling"] is renews


@time_machine.travel(NOW, tick=False)
def test_licenses_cost_the_same_for_2_and_50(world: World) -> None:
    subscription = world.subscription(30, by_group=30)
    api = Api(world.admin)
    assert queries_of(api, LICENSES, id=f"sub_{subscription.pk}", first=2) == queries_of(
        api, LICENSES, id=f"sub_{subscription.pk}", first=50
    )


@pytest.mark.parametrize(
    ("of_account", "of_subscription", "known"),
    [(True, None, True), (False, None, False), (None, None, None)]
    + [(account, said, said) for account in (True, False, None) for said in (True, False)],
)
def test_what_is_said_of_the_subscription_goes_before_what_is_known_of_its_account(
    world: World, of_account: bool | None, of_subscription: bool | None, known: bool | None
) -> None:
    account = world.tenant.billing_account
    account.payment_methods_known = of_account is not None
    account.save()
    account.payment_methods.update(is_active=bool(of_account))
    trial = world.subscription(1, is_trial=True, has_payment_method=of_subscription)
    found = Api(world.admin)(OPTIONS, id=f"sub_{trial.pk}")["cancellationOptions"]
    assert found["facts"]["hasPaymentMethod"] is known
    assert found["route"] == ("NOTHING_TO_CANCEL" if known is False else "CANCEL_ONLINE")


STATUSES = [status.value for status in Status]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_the_status_in_sql_is_the_status_of_the_rules(db: None, data: st.DataObject) -> None:
    with transaction.atomic():
        world = World.build()
        account = world.tenant.billing_account
        account.payment_methods_known = data.draw(st.booleans())
        account.save()
        if data.draw(st.booleans()):
            PaymentMethod.objects.filter(account=account).update(is_active=False)
        end = NOW + timedelta(days=data.draw(st.sampled_from([-200, -121, -120, -119, -31, -30, -29, -1, 0, 1, 40])))
        known = data.draw(st.booleans())
        subscription = world.subscription(
            0,
            charged=None,
            base_status=data.draw(st.sampled_from(STATUSES)),
            is_trial=data.draw(st.booleans()),
            renews=data.draw(st.booleans()),
            has_payment_method=data.draw(st.sampled_from([None, True, False])),
            period_start=end - timedelta(days=30) if known else None,
            period_end=end if known else None,
        )
        mode = data.draw(st.sampled_from([None, *Mode]))
        if mode:
            cancel_in_the_database(world, subscription, mode, end)
        caller = world.caller()
        row = Subscription.objects.with_status(NOW).get(pk=subscription.pk)
        decided = SubscriptionBatch.get(caller, row.pk, NOW).decisions[row.pk]
        assert row.status_now == decided.status.value  # type: ignore[attr-defined]
        assert Subscription.objects.in_service(NOW).filter(pk=row.pk).exists() is is_in_service(decided.status)
        transaction.set_rollback(True)


def cancel_in_the_database(world: World, subscription: Subscription, mode: Mode, end: Any) -> None:
    Subscription.objects.filter(pk=subscription.pk).update(canceled_mode=mode, ends_at=end)
    Cancellation.objects.create(
        reference=new_reference("C"),
        tenant=world.tenant,
        subscription=subscription,
        mode=mode.value,
        requested_at=NOW,
        effective_at=end,
        undo_until=end,
        access_ends_at=end,
        data_available_until=end,
        data_erased_by=end,
        priced_at=NOW,
        policy=CancellationPolicy.objects.get(tenant=None, in_force=True),
        quote={},
        facts={},
        licenses_30_days_before=0,
        language="en",
    )


def test_the_period_of_the_tests_is_november_in_sofia() -> None:
    assert (PERIOD.end - PERIOD.start).days == 30
