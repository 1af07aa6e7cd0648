"""kill -9 of the process that cancels and of two workers, again and again: nothing is missing, nothing is doubled."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from billing.models import Charge, LedgerEntry, Refund
from outbox.models import Task
from outbox.queue import requeue
from subscriptions.models import Cancellation
from tenants.verification import verify
from tests.reconciling import findings
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
SEED = 20261125


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What the actors run in."""
    return environment_of(tmp_path)


def environment_of(mailbox: Path) -> dict[str, str]:
    """Processes of their own on the database of this test, writing their mail into a folder."""
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}"
    if connection.vendor == "postgresql":
        url = f"postgresql://{database['USER']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    return {
        **os.environ,
        "DATABASE_URL": url,
        "WAYOUT_DEBUG": "1",
        "WAYOUT_EMAIL_URL": "dummy://",
        "WAYOUT_TEST_MAIL": str(mailbox),
        "DJANGO_SETTINGS_MODULE": "tests.kills.settings",
    }


class Actor:
    """A process that is started, killed without warning, and started again."""

    def __init__(self, kind: str, environment: dict[str, str]) -> None:
        self.command = [sys.executable, "-m", "tests.kills.actors", kind]
        self.environment = environment
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, cwd=ROOT, env=self.environment, stderr=subprocess.DEVNULL)

    def kill(self) -> bool:
        """True when there was something to kill."""
        running = self.process.poll() is None
        self.process.kill()
        self.process.wait()
        return running


@pytest.fixture
def actors(environment: dict[str, str]) -> Iterator[list[Actor]]:
    started = [Actor(kind, environment) for kind in ("canceler", "worker", "worker")]
    yield started
    for actor in started:
        actor.kill()


def mails(folder: Path) -> Counter[tuple[str, str]]:
    """How often each mail was sent, by subject and address."""
    found: Counter[tuple[str, str]] = Counter()
    for path in folder.glob("*.eml"):
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        found[(message["Subject"], message["To"])] += 1
    return found


@pytest.mark.parametrize(
    ("kills", "subscriptions"),
    [pytest.param(8, 30, id="few"), pytest.param(60, 240, id="many", marks=pytest.mark.long)],
)
def test_kills_lose_nothing_and_double_nothing(
    kills: int, subscriptions: int, actors: list[Actor], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    chance = random.Random(SEED)
    world = World.build(billing_contact_email="books@contoso.example")
    now = timezone.now()
    period: dict[str, Any] = {"period_start": now - timedelta(days=10), "period_end": now + timedelta(days=20)}
    for _ in range(subscriptions):
        world.subscription(2, **period)
    killed = 0
    while killed < kills:
        actor = chance.choice(actors)
        time.sleep(chance.uniform(0.4, 1.6))
        killed += actor.kill()
        actor.start()
    settle(actors, subscriptions)

    later = timezone.now() + timedelta(days=4)
    interrupted = list(Task.objects.filter(status="GIVEN_UP").values_list("key", flat=True))
    assert all(key.startswith("mail.") for key in interrupted)
    wrong = [finding for finding in findings(later) if not finding.startswith("task mail.")]
    assert wrong == []
    assert Cancellation.objects.count() == Refund.objects.filter(status="SUCCEEDED").count() == subscriptions
    assert LedgerEntry.objects.count() == subscriptions
    assert sum(Charge.objects.values_list("refunded", flat=True)) == sum(
        LedgerEntry.objects.values_list("amount", flat=True)
    )
    assert not list(verify(world.tenant.pk))
    sent = mails(tmp_path)
    assert max(sent.values()) == 1
    # Two events, two addresses; one that was interrupted may or may not have left, and staff see it.
    assert 4 * subscriptions - len(interrupted) <= len(sent) <= 4 * subscriptions
    assert all(requeue(key=key, now=later) for key in interrupted)
    print(f"{killed} kills, {subscriptions} refunds promised and settled, {len(interrupted)} mails left to staff")


def settle(actors: list[Actor], subscriptions: int) -> None:
    """Let the living finish."""
    for _ in range(1200):
        if actors[0].process.poll() is not None and Cancellation.objects.count() < subscriptions:
            actors[0].start()
        done = Refund.objects.filter(status="SUCCEEDED").count() == subscriptions
        if (
            done
            and not Task.objects.filter(status="WAITING", kind__in=["refund.returned", "mail.cancellation"]).exists()
        ):
            return
        time.sleep(0.1)
    pytest.fail(f"not finished: {list(Task.objects.filter(status='WAITING').values('key', 'last_failure')[:5])}")
