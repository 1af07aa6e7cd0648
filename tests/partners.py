"""A partner with a receiver, and a worker whose clock is ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction

from outbox import registry
from outbox.worker import work_off
from subscriptions.events import SubscriptionEvent
from tenants.callers import Scope
from tenants.models import PartnerToken
from tenants.people import SYSTEM
from tests.builders import NOW
from tests.webhooks.receiver import Receiver, receiving
from tests.world import World
from webhooks.endpoints import register
from webhooks.events import publish
from webhooks.models import Endpoint, Event


@dataclass
class Partner:
    """A partner of one tenant with one endpoint; ``now`` is everybody's clock."""

    world: World
    endpoint: Endpoint
    token: str
    receiver: Receiver
    now: datetime = NOW

    def happens(
        self, type: SubscriptionEvent = SubscriptionEvent.USERS_REMOVED, subject: str = "sub_1", **data: Any
    ) -> Event | None:
        """Something happened; None where it was said before."""
        key = f"{type}:{Event.objects.count()}:{self.now.isoformat()}"
        with transaction.atomic():
            return publish(
                type=type, key=key, tenant_id=self.world.tenant.pk, subject=subject, describe=lambda: data, now=self.now
            )

    def work(self) -> int:
        """Do what is due now."""
        return work_off(lambda: self.now)

    def wait(self, span: timedelta, step: timedelta = timedelta(seconds=20)) -> None:
        """Let time pass while a worker works."""
        until = self.now + span
        while self.now < until:
            self.now += step
            self.work()

    def again(self) -> Endpoint:
        """The endpoint as it now is."""
        self.endpoint.refresh_from_db()
        return self.endpoint


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.WAYOUT_WEBHOOK_PRIVATE, settings.WAYOUT_WEBHOOK_TIMEOUT = True, 0.3
    with receiving() as server:
        yield server


@pytest.fixture
def partner(world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Partner:
    monkeypatch.setattr(registry, "_periodic", {})
    text = world.token(Scope.WEBHOOKS)
    token = PartnerToken.objects.latest("pk")
    endpoint, secret = register(
        partner=token.partner, url=receiver.url, events=[], contact_email="ops@partner.example", language="bg",
        caller=SYSTEM, now=NOW,
    )  # fmt: skip
    assert secret
    receiver.secret = secret
    return Partner(world, endpoint, text, receiver)
