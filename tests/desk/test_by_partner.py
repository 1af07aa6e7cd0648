"""A partner asks for a call in its customer's name."""

from __future__ import annotations

import pytest

from desk.models import CallbackRequest, CallbackSource
from desk.services.requests import Wish, request_callback
from tenants.callers import Scope
from tenants.tokens import caller_of_token
from tests.builders import NOW
from tests.world import World

pytestmark = pytest.mark.django_db


def test_a_call_that_a_partner_asked_for_names_its_token_and_no_person(world: World) -> None:
    partner = caller_of_token(world.token(Scope.CALLBACK), NOW)
    assert partner
    request_callback(
        caller=partner, subscription_id=world.subscription(25).pk, idempotency_key=None, language="en", now=NOW,
        wish=Wish("0888 123 456", "Ada", "bg", "Europe/Sofia", None, ""), source=CallbackSource.GRAPHQL,
    )  # fmt: skip
    request = CallbackRequest.objects.get()
    assert (request.requested_by_token_id, request.requested_by_user_id) == (partner.id, None)
