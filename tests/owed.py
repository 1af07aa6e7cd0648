"""A refund that is owed, and the time at which it is, for whoever looks at it from outside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from billing.models import Refund
from outbox.worker import work_off
from tests.builders import NOW
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World

OWED_AT = NOW + timedelta(hours=73)  # 28 November 2026, 13:00 in Sofia


@pytest.fixture(autouse=True)
def frozen(settings: Any) -> Iterator[Any]:
    """Whoever runs this pays, and it is now."""
    settings.WAYOUT_PROVIDER = "owed"
    with time_machine.travel(OWED_AT, tick=False) as traveler:
        yield traveler


@pytest.fixture
def owed(world: World) -> Refund:
    """4.00 that are owed since the undo closed."""
    cancel(world, world.subscription())
    work_off(lambda: OWED_AT)
    return Refund.objects.get()
