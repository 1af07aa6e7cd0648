"""What tests of the admin share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine

from tenants.models import User
from tests.builders import NOW
from tests.world import World


@pytest.fixture
def frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def staff(world: World) -> User:
    return world.person(None, is_staff=True, is_superuser=True)
