"""The host's ids in the admin: found, typed where nobody said one, and kept where the host did."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from subscriptions.models import FactSource, Subscription
from tenants.models import Tenant
from tests.admin.test_admin import client_of
from tests.admin.test_by_hand import address, page_of
from tests.world import World

pytestmark = pytest.mark.django_db
LABELS = ["tenants.Tenant", "subscriptions.Subscription"]


@pytest.fixture
def client(world: World) -> Client:
    Tenant.objects.filter(pk=world.tenant.pk).update(external_id="CUST-1")
    for number in (1, 2):
        world.subscription(1, external_id=f"Sub-{number}")
    return client_of(world.person(None, is_staff=True, is_superuser=True))


def send(client: Client, label: str, row: Any, external_id: str) -> Any:
    sent, _form = page_of(client, label, row.pk)
    return client.post(address(label, "change", row.pk), {**sent, "external_id": external_id})


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(("search", "found"), [("CUST-1", True), ("cust-1", True), ("CUST-2", False)])
def test_lists_find_it(world: World, client: Client, label: str, search: str, found: bool) -> None:
    page = client.get(address(label, "changelist"), {"q": search})
    assert bool(page.context["cl"].result_count) is found
    assert ("CUST-1" in page.text or "Sub-1" in page.text) is found


def test_it_is_typed_where_nobody_said_one(world: World, client: Client) -> None:
    other, row = World.build().tenant, Subscription.objects.order_by("pk")[0]
    assert send(client, LABELS[0], other, " CUST-2 ").status_code == 302
    assert send(client, LABELS[1], row, "Sub-3").status_code == 302
    assert (Tenant.objects.get(pk=other.pk).external_id, Subscription.objects.get(pk=row.pk).external_id) == (
        "CUST-2",
        "Sub-3",
    )
    # None may be typed for any number of them.
    for each in (other, world.tenant):
        assert send(client, LABELS[0], each, "").status_code == 302


def test_one_that_another_has_is_refused_in_words(world: World, client: Client) -> None:
    other, row = World.build(), Subscription.objects.order_by("pk")[0]
    for label, of, taken in ((LABELS[0], other.tenant, "CUST-1"), (LABELS[1], row, "Sub-2")):
        page = send(client, label, of, taken)
        assert page.context["adminform"].form.errors == {"external_id": ["Another one has this id."]}
    # Of another tenant it may be the same.
    theirs = other.subscription(1)
    assert send(client, LABELS[1], theirs, "Sub-2").status_code == 302


def test_it_stays_where_the_host_says_it(world: World, client: Client) -> None:
    row = Subscription.objects.order_by("pk")[0]
    source = FactSource.objects.create(tenant=world.tenant, key="host", name="Example Portal")
    Subscription.objects.filter(pk=row.pk).update(source=source)
    for label, of in zip(LABELS, (world.tenant, row), strict=True):
        page = client.get(address(label, "change", of.pk))
        assert "external_id" not in page.context["adminform"].form.fields
        send(client, label, of, "another")
    assert {*Tenant.objects.values_list("external_id", flat=True)} == {"CUST-1"}
    assert "Example Portal" in client.get(address(LABELS[1], "change", row.pk)).text
    assert not Subscription.objects.filter(external_id="another").exists()
