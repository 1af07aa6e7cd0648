"""How often a tenant gives one number within a day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from common.errors import RateLimited
from tests.builders import NOW
from tests.desk.test_desk import ask
from tests.world import World

pytestmark = pytest.mark.django_db


def test_a_number_is_taken_for_three_requests_within_a_day_and_for_a_fourth_after_it(world: World) -> None:
    for _ in range(3):
        ask(world)
    for later in (timedelta(0), timedelta(days=1) - timedelta(seconds=1)):
        with pytest.raises(RateLimited):
            ask(world, now=NOW + later)
    assert ask(world, now=NOW + timedelta(days=1))


def test_another_tenants_number_is_counted_apart(world: World) -> None:
    for _ in range(3):
        ask(world)
    assert ask(World.build())
