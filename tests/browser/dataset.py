"""Subscriptions for tests that change them: made inside the served demo, for an account of their own."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from subscriptions.models import Plan
from tests.world import PASSWORD, World


def build(count: int) -> None:
    """Print the ids of ``count`` subscriptions that cancel online and of two with 25 licenses, and who may cancel."""
    world, now = World.build(name="Fabrikam"), datetime.now(UTC)
    world.admin.set_password(PASSWORD)
    world.admin.save()
    began, ends = now - timedelta(days=10), now + timedelta(days=20)

    def subscription(name: str, assigned: int) -> int:
        Plan.objects.create(part_number=name, name=name)
        period = {"period_start": began, "period_end": ends, "anchored_at": began}
        return world.subscription(assigned, plan=name, **period).pk

    online = [subscription(f"Own {number}", 12) for number in range(count)]
    facts = {
        "online": online,
        "over": [subscription(f"Over {number}", 25) for number in range(2)],
        "admin": world.admin.username,
        "password": PASSWORD,
    }
    print(json.dumps(facts))
