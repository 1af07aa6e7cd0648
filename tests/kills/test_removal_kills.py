"""kill -9 of workers that have a directory take licenses away: none is lost, and none asked for again without a look."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from django.utils import timezone

from outbox.models import Task
from outbox.queue import requeue
from subscriptions.directory.licenses import remove_users
from subscriptions.models import License, LicenseTally, Removal
from tenants.models import AuditEvent
from tenants.verification import verify
from tests.kills.paper_directory import FOLDER
from tests.kills.test_kills import SEED, Actor, environment_of
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
USERS = 6


@pytest.mark.parametrize(
    ("kills", "subscriptions"),
    [pytest.param(6, 25, id="few"), pytest.param(40, 150, id="many", marks=pytest.mark.long)],
)
def test_kills_lose_no_removal_and_ask_for_none_blindly(kills: int, subscriptions: int, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    world = World.build(removals="CONNECTION")
    for _ in range(subscriptions):
        ask_for_all(world, tmp_path)
    environment = {**environment_of(tmp_path), FOLDER: str(tmp_path)}
    workers = [Actor("carrier", environment) for _ in range(2)]
    try:
        killed = 0
        while killed < kills:
            time.sleep(chance.uniform(0.6, 1.8))
            worker = chance.choice(workers)
            killed += worker.kill()
            worker.start()
        wait_for(subscriptions * USERS)
    finally:
        for worker in workers:
            worker.kill()
    assert not [path for path in tmp_path.iterdir() if path.name != "calls" and not path.name.endswith(".eml")]
    assert set(LicenseTally.objects.values_list("assigned", "pending")) == {(0, 0)}
    decided = [pk for event in AuditEvent.objects.filter(action="removals.decided") for pk in event.data["confirmed"]]
    assert sorted(decided) == sorted(License.objects.values_list("pk", flat=True))
    last: dict[str, str] = {}
    for line in (tmp_path / "calls").read_text().splitlines():
        call, removal = line.split()
        assert (call, last.get(removal)) != ("carry", "carry"), f"removal {removal} was asked for without a look"
        last[removal] = call
    assert not list(verify(world.tenant.pk))


def ask_for_all(world: World, folder: Path) -> None:
    subscription = world.subscription(USERS)
    users = License.objects.filter(subscription=subscription).values_list("user", "user__principal_name")
    for _pk, name in users:
        (folder / f"{subscription.plan.part_number} {name}").touch()
    remove_users(
        caller=world.caller(), subscription_id=subscription.pk, users=[(f"usr_{pk}", pk) for pk, _name in users],
        dry_run=False, idempotency_key=None, language="en", now=timezone.now(),
    )  # fmt: skip


def wait_for(removals: int) -> None:
    """Let the living finish; one that ended three workers in a row is done again by staff."""
    for _ in range(1200):
        if Removal.objects.filter(status="CONFIRMED").count() == removals:
            return
        for key in Task.objects.filter(status="STUCK").values_list("key", flat=True):
            requeue(key=key, now=timezone.now())
        time.sleep(0.1)
    pytest.fail(
        f"not finished: {list(Task.objects.exclude(status='DONE').values('key', 'status', 'last_failure')[:5])}"
    )
