"""From what the host calls a tenant, a subscription or a user to the object, and to nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from subscriptions.models import DirectoryGroup, DirectoryUser, Subscription
from subscriptions.policy.facts import Channel
from tenants.callers import Scope
from tenants.models import Tenant
from tests.builders import NOW
from tests.graphql.documents import (
    LICENSES,
    LIST,
    SUBSCRIPTION_BY_EXTERNAL_ID,
    TENANT_BY_EXTERNAL_ID,
    USER_BY_EXTERNAL_ID,
)
from tests.world import Api, World

pytestmark = pytest.mark.django_db
ODD = ["", " ", "s1 ", "S1", "s", "s1\n", "s\x001", "\ud800", "\u2028", "s1" * 2_000]
DOCUMENTS = {
    "subscriptionByExternalId": SUBSCRIPTION_BY_EXTERNAL_ID,
    "tenantByExternalId": TENANT_BY_EXTERNAL_ID,
    "userByExternalId": USER_BY_EXTERNAL_ID,
}


def name_all(world: World, tenant: str, *, other: str = "s1") -> Subscription:
    """The tenant is called ``tenant``; a subscription and a user in it are both called ``other``."""
    Tenant.objects.filter(pk=world.tenant.pk).update(external_id=tenant)
    [user] = world.users(1)
    DirectoryUser.objects.filter(pk=user.pk).update(external_id=other)
    return world.subscription(2, external_id=other)


def find(api: Api, name: str, id: str, tenant: str | None = None) -> Any:
    given = {"id": id, "tenant": tenant} if tenant is not None else {"id": id}
    return api(DOCUMENTS[name], **given)[name]


def test_each_is_found_by_its_id_and_says_it(world: World) -> None:
    row, api = name_all(world, "t1"), Api(world.admin)
    found = find(api, "subscriptionByExternalId", "s1")
    assert (found["id"], found["externalId"], found["tenant"]["externalId"]) == (f"sub_{row.pk}", "s1", "t1")
    assert find(api, "tenantByExternalId", "t1")["id"] == f"ten_{world.tenant.pk}"
    assert find(api, "userByExternalId", "s1")["externalId"] == "s1"
    assert find(api, "subscriptionByExternalId", "s1", "t1") == found


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("odd", ODD)
def test_what_is_not_its_id_finds_nothing(world: World, name: str, odd: str) -> None:
    name_all(world, "s1")
    world.subscription(1)
    api = Api(world.admin)
    assert find(api, name, odd) is None
    if name != "tenantByExternalId":
        assert find(api, name, "s1", odd) is None
        assert find(api, name, "s1", "s1")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_another_tenants_is_unseen(world: World, name: str) -> None:
    name_all(world, "s1")
    other = World.build()
    for api in (Api(other.admin), Api(token=other.token(Scope.READ, Scope.READ_USERS))):
        assert find(api, name, "s1") is None
    own = name_all(other, "t2")
    assert find(Api(other.admin), "subscriptionByExternalId", "s1")["id"] == f"sub_{own.pk}"
    assert find(Api(other.admin), "subscriptionByExternalId", "s1", "s1") is None


@pytest.mark.parametrize("name", ["subscriptionByExternalId", "userByExternalId"])
def test_of_two_tenants_one_is_named(world: World, name: str) -> None:
    other = World.build()
    name_all(world, "t1")
    name_all(other, "t2", other="s2")
    api = Api(token=world.token(Scope.READ, Scope.READ_USERS, tenants=[world.tenant, other.tenant]))
    assert find(api, name, "s1")
    assert find(api, name, "s2") == find(api, name, "s2", "t2")
    name_all(other, "t2")
    [error] = api.raw(DOCUMENTS[name], id="s1")["errors"]
    assert error["extensions"] == {"code": "INPUT_INVALID", "path": ["tenantExternalId"]}
    assert find(api, name, "s1", "t1")["id"] != find(api, name, "s1", "t2")["id"]
    assert find(api, name, "s1", "t3") is None


@pytest.mark.parametrize("name", ["subscriptionByExternalId", "userByExternalId"])
def test_a_token_of_the_installation_names_the_tenant_where_several_have_such_a_one(world: World, name: str) -> None:
    other = World.build()
    name_all(world, "t1")
    api = Api(token=world.installation_token(Scope.READ, Scope.READ_USERS))
    found = find(api, name, "s1")
    assert found == find(api, name, "s1", "t1")
    assert find(api, "tenantByExternalId", "t1")["id"] == f"ten_{world.tenant.pk}"
    name_all(other, "t2")
    assert api.raw(DOCUMENTS[name], id="s1")["errors"][0]["extensions"]["path"] == ["tenantExternalId"]
    assert find(api, name, "s1", "t1") == found != find(api, name, "s1", "t2")


def test_a_deleted_user_is_not_found(world: World) -> None:
    name_all(world, "t1")
    DirectoryUser.objects.update(deleted_at=NOW)
    assert find(Api(world.admin), "userByExternalId", "s1") is None


@pytest.mark.parametrize(
    ("name", "more"), [("tenantByExternalId", 0), ("userByExternalId", 0), ("subscriptionByExternalId", 4)]
)
def test_questions_to_the_database_do_not_grow(world: World, name: str, more: int) -> None:
    name_all(world, "s1")
    api = Api(token=world.token(Scope.READ, Scope.READ_USERS))
    counts = []
    for _ in range(3):
        with CaptureQueriesContext(connection) as captured:
            assert find(api, name, "s1")
        counts.append(len(captured))
        World.build()
        world.users(10)
        world.subscription(3)
    assert counts[0] >= counts[1] == counts[2] <= 3 + more, [q["sql"] for q in captured]


@pytest.mark.parametrize("name", ["subscriptionByExternalId", "userByExternalId"])
def test_an_index_finds_it_also_where_no_tenant_is_named(world: World, name: str) -> None:
    name_all(world, "t1")
    api = Api(token=world.installation_token(Scope.READ, Scope.READ_USERS))
    with CaptureQueriesContext(connection) as captured:
        assert find(api, name, "s1")
    [asked] = [q["sql"] for q in captured if "external_id" in q["sql"].partition("WHERE")[2]]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"{'EXPLAIN' if connection.vendor == 'postgresql' else 'EXPLAIN QUERY PLAN'} {asked}")
        plan = " ".join(str(row) for row in cursor.fetchall())
    assert "_by_external_id" in plan, plan


def test_an_id_is_one_of_its_kind_in_its_tenant(world: World) -> None:
    name_all(world, "t1")
    other = World.build()
    name_all(other, "t2")
    group = {"tenant": world.tenant, "external_id": "s1"}
    DirectoryGroup.objects.create(name="One", **group)
    for doubled in (
        lambda: world.subscription(1, external_id="s1"),
        lambda: DirectoryUser.objects.create(tenant=world.tenant, principal_key="x", external_id="s1"),
        lambda: DirectoryGroup.objects.create(name="Two", **group),
        lambda: Tenant.objects.filter(pk=other.tenant.pk).update(external_id="t1"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            doubled()
    # None is none of a kind.
    world.subscription(1)
    world.subscription(1)
    assert World.build().tenant.external_id == World.build().tenant.external_id == ""


def test_what_the_host_says_of_a_subscription(world: World) -> None:
    row = world.subscription(
        1, external_id="s1", plan_name="Yearly", shares_licenses=True, channel=Channel.DIRECT.value
    )
    api = Api(world.admin)
    found = find(api, "subscriptionByExternalId", "s1")
    assert (found["plan"], found["sharesLicenses"], found["partner"]) == ("Yearly", True, None)
    Subscription.objects.filter(pk=row.pk).update(
        channel=Channel.PARTNER.value, plan_name="", partner_url="https://reseller.example", partner_phone="+359 2 123"
    )
    found = find(api, "subscriptionByExternalId", "s1")
    contact = {
        "name": "https://reseller.example",
        "url": "https://reseller.example",
        "email": None,
        "phone": "+359 2 123",
    }
    assert (found["plan"], found["partner"]) == (row.plan.name, contact)
    assert found["partnerName"] is None
    Subscription.objects.filter(pk=row.pk).update(partner_url="", partner_phone="")
    assert find(api, "subscriptionByExternalId", "s1")["partner"] is None


@pytest.mark.parametrize(("search", "found"), [("t-1", 2), ("s-1", 1), (" S-1 ", 1), ("t", 0), ("-1", 0), ("t-2", 0)])
def test_search_finds_whole_ids_of_subscription_and_tenant(world: World, search: str, found: int) -> None:
    Tenant.objects.filter(pk=world.tenant.pk).update(external_id="t-1", search_key="x")
    for external_id in ("s-1", "s-2"):
        row = world.subscription(1, external_id=external_id)
        row.plan.name = "x"
        row.plan.save()
    name_all(World.build(), "t-2")
    assert Api(world.admin)(LIST, search=search)["subscriptions"]["totalCount"] == found


def test_search_finds_a_holder_by_the_whole_id(world: World) -> None:
    row = world.subscription(5)
    someone = DirectoryUser.objects.first()
    assert someone
    DirectoryUser.objects.filter(pk=someone.pk).update(external_id="holder-1")
    api = Api(world.admin)
    for search, total in (("holder-1", 1), (" holder-1 ", 1), ("holder-", 0), ("holder-12", 0)):
        found = api(LICENSES, id=f"sub_{row.pk}", search=search)["subscription"]["licenses"]
        assert found["totalCount"] == len(found["edges"]) == total
