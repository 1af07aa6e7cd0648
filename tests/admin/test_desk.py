"""The desk in the admin: cancel for the customer, and who may do what."""

from __future__ import annotations

import re
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from billing.models import Refund
from subscriptions.models import CallbackRequest, Cancellation
from tenants.models import User
from tests.admin.test_admin import callback, client_of
from tests.builders import NOW
from tests.graphql.test_access import everything
from tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


@pytest.fixture
def frozen() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def member(world: World, group: str, **given: Any) -> User:
    user = world.person(None, is_staff=True, **given)
    user.groups.add(Group.objects.get(name=group))
    return user


def page_of(name: str, *args: Any) -> str:
    return reverse(f"admin:subscriptions_{name}", args=args)


def cancel(client: Client, request: CallbackRequest, **typed: str) -> Any:
    address = page_of("subscription_cancel", request.subscription_id)
    page = client.get(address).text
    form = {name: re.findall(rf'name="{name}" value="([^"]+)"', page)[0] for name in ("quote", "key", "mode")}
    return client.post(address, {**form, "reason": "asked on the phone", **typed}, follow=True)


def test_a_supervisor_settles_on_an_amount_and_an_agent_cannot(world: World) -> None:
    request = callback(world)
    supervisor = client_of(member(world, "Callback supervisors"))
    page = supervisor.get(page_of("subscription_cancel", request.subscription_id)).text
    assert f"For the call {request.reference}" in page
    assert "at most €20.00" in page
    agent = client_of(member(world, "Callback agents"))
    assert 'name="amount"' not in agent.get(page_of("subscription_cancel", request.subscription_id)).text
    cancel(agent, request, amount="20.00")
    assert Refund.objects.get().amount == 400
    other = callback(world, 2)
    cancel(supervisor, other, amount="12,50")
    assert Refund.objects.latest("pk").amount == 1250


@pytest.mark.parametrize("amount", ["20.01", "-1", "abc", "1.234", "1e3", "NaN"])
def test_an_amount_that_cannot_be_is_refused_beside_its_field(world: World, amount: str) -> None:
    request = callback(world)
    supervisor = client_of(member(world, "Callback supervisors"))
    before = everything()
    page = cancel(supervisor, request, amount=amount)
    assert "An amount from 0 to €20.00" in page.text
    assert cancel(supervisor, request, reason="").context["forms"][0].errors["reason"]
    assert everything() == before


def test_pressing_twice_shows_what_is_in_force(world: World) -> None:
    request = callback(world)
    client = client_of(member(world, "Callback agents"))
    address = page_of("subscription_cancel", request.subscription_id)
    stale = client.get(address).text
    cancel(client, request)
    form = {name: re.findall(rf'name="{name}" value="([^"]+)"', stale)[0] for name in ("quote", "key", "mode")}
    again = client.post(address, {**form, "reason": "again"}, follow=True)
    assert again.redirect_chain[-1][0] == page_of("cancellation_change", Cancellation.objects.get().pk)
    assert "asked on the phone" in again.text
