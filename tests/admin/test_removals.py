"""What staff see of removals, and say of who carries them out."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from subscriptions.models import DirectoryUser, Removal
from tenants.models import AuditEvent, Tenant
from tests.admin.scenes import client_of, member, who_looks
from tests.admin.test_by_hand import Browser
from tests.subscriptions.test_removals import CONFIRMED, REFUSED, bought, remove, settle, users_of
from tests.world import World

pytestmark = pytest.mark.django_db
LIST = reverse("admin:subscriptions_removal_changelist")


def test_the_list_says_of_each_whose_it_is_and_what_became_of_it(world: World) -> None:
    Tenant.objects.update(removals="HOST", external_id="c-1")
    world.tenant.refresh_from_db()
    subscription = bought(world, 3)
    first, second, third = users_of(subscription)
    remove(world, subscription, [first, second, third])
    settle((first, CONFIRMED), (second, REFUSED))
    client = client_of(who_looks(world))
    names = dict(DirectoryUser.objects.values_list("pk", "principal_name"))
    refused = client.get(LIST, {"status__exact": "REFUSED"}).text
    assert names[second] in refused
    assert "another product depends on it" in refused
    assert world.tenant.name in refused
    assert names[first] not in refused
    waiting = client.get(LIST, {"status__exact": "REQUESTED"}).text
    assert names[third] in waiting
    assert names[second] not in waiting
    found = client.get(LIST, {"q": world.tenant.name}).text
    assert all(name in found for name in names.values())
    page = client.get(reverse("admin:subscriptions_removal_change", args=[Removal.objects.get(status="REFUSED").pk]))
    assert "Ada has Project" in page.text
    assert world.admin.username in page.text
    assert client_of(member(world)).get(LIST).status_code == 403


def test_the_list_costs_the_same_for_many(world: World) -> None:
    Tenant.objects.update(removals="HOST")
    world.tenant.refresh_from_db()
    client, counts = client_of(who_looks(world)), []
    for _ in range(2):
        subscription = world.subscription(20)
        remove(world, subscription, users_of(subscription))
        with CaptureQueriesContext(connection) as captured:
            client.get(LIST)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_who_removes_licenses_is_on_the_tenants_page_and_on_its_trail(world: World) -> None:
    client = client_of(world.person(None, is_staff=True, is_superuser=True))
    page = reverse("admin:tenants_tenant_change", args=[world.tenant.pk])
    browser = Browser(client.get(page).text)
    assert client.post(page, {**browser.sent, "removals": "HOST"}).status_code == 302
    event = AuditEvent.objects.get(action="tenant.changed")
    assert (event.tenant, event.data["changes"]["removals"]) == (world.tenant, ["LOCAL", "HOST"])
    assert Tenant.objects.get(pk=world.tenant.pk).removals == "HOST"
