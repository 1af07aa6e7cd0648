"""A one-time address for two at once, and two calls that vouch for one person."""

from __future__ import annotations

import pytest
from django.test import Client

from tenants.callers import Role, Scope
from tenants.models import PortalSession, VouchedPerson
from tests.graphql.test_portal_sessions import create
from tests.races.together import together
from tests.world import Api, World

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_of_many_gets_in_by_an_address() -> None:
    world = World.build(external_id="acme")
    text = world.token(Scope.SESSIONS, max_role=Role.BILLING_ADMIN)
    at = create(Api(token=text))["url"].removeprefix("http://testserver")
    answers = together(8, lambda _: Client().post(at).status_code)
    assert sorted(map(str, answers)) == ["302", *["410"] * 7]


def test_many_calls_with_one_key_and_with_their_own_make_one_person() -> None:
    world = World.build(external_id="acme")
    text = world.token(Scope.SESSIONS, max_role=Role.BILLING_ADMIN)
    answers = together(8, lambda n: create(Api(token=text), idempotencyKey="same" if n % 2 else f"{n}"))
    tokens = {answer["accessToken"] for answer in answers if isinstance(answer, dict)}
    assert len(answers) == 8
    assert len(tokens) == PortalSession.objects.count() == 5
    assert VouchedPerson.objects.count() == 1
