"""kill -9 while facts come in after decisions: late charges, disputes, refunds that bounce and are sent again."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from billing.models import Agreement, Charge, Refund, RefundPart, ReturnElsewhere
from outbox.models import Task
from subscriptions.models import Cancellation, Subscription
from tenants.verification import verify
from tests.kills.test_kills import ROOT, environment_of
from tests.reconciling import found
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long]
SEED = 20261130
KILLS = int(os.environ.get("WAYOUT_KILLS", "10"))


@pytest.fixture
def environment(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    paper = tmp_path / "paper"
    paper.mkdir()
    monkeypatch.setenv("WAYOUT_TEST_PAPER", str(paper))
    monkeypatch.setenv("WAYOUT_PROVIDERS", "tests.kills.paper.Paper")
    settings.WAYOUT_PROVIDERS = ["tests.kills.paper.Paper"]
    return environment_of(tmp_path)


@pytest.fixture
def actors(environment: dict[str, str]) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    commands = {"teller": ["tests.kills.teller"], **{f"worker {n}": ["tests.kills.actors", "worker"] for n in (1, 2)}}
    running = {name: start(command, environment) for name, command in commands.items()}
    yield running
    for process in running.values():
        process.kill()
        process.wait()


def start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


def sold(count: int) -> World:
    """So many subscriptions in the middle of their month, canceled, none of the money sent yet."""
    world = World.build()
    now = timezone.now()
    period: dict[str, Any] = {"period_start": now - timedelta(days=10), "period_end": now + timedelta(days=20)}
    for _ in range(count):
        subscription = world.subscription(2, charged=None, **period)
        Agreement.objects.filter(pk=subscription.agreement_id).update(provider="paper")
        world.charge(subscription, external_id=f"first-{subscription.pk}", charged=3000)
        cancel(world, Subscription.objects.get(pk=subscription.pk), at=now)
    return world


def test_facts_that_come_in_are_never_lost_or_doubled(
    environment: dict[str, str], actors: dict[str, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    count = max(10, KILLS // 4)
    world = sold(count)
    chance = random.Random(SEED)
    killed = 0
    while killed < KILLS:
        name = chance.choice(sorted(actors))
        time.sleep(chance.uniform(0.2, 1.2))
        process = actors[name]
        killed += process.poll() is None
        process.kill()
        process.wait()
        actors[name] = start(process.args[2:], environment)  # type: ignore[arg-type, index]
    until_quiet(count)
    for process in actors.values():
        process.kill()
        process.wait()

    late = list(Charge.objects.filter(external_id__startswith="late-"))
    assert len(late) == count
    assert ReturnElsewhere.objects.count() == count == Cancellation.objects.count()
    assert set(Charge.objects.filter(external_id__startswith="first-").values_list("disputed", flat=True)) == {500}
    paid: dict[str, int] = defaultdict(int)
    for path in (tmp_path / "paper").glob("*.json"):
        said = json.loads(path.read_text())
        if said["outcome"] == "SUCCEEDED":
            assert said["key"].partition(".")[0] not in paid
            paid[said["key"].partition(".")[0]] = said["amount"]
    assert paid == {str(part.pk): part.amount for part in RefundPart.objects.exclude(refund__status="VOIDED")}
    assert {charge.refunded for charge in late} == {3000}
    assert not list(verify(world.tenant.pk))
    kinds = {finding.kind.value for finding in found(timezone.now() + timedelta(days=4))}
    # A dispute that came after the money had left is a true fact.
    assert kinds <= {"REFUND_OVERDRAWN", "TASK_GIVEN_UP"}
    given_up = Task.objects.filter(status="GIVEN_UP").values_list("key", flat=True)
    assert all(key.startswith("mail.") for key in given_up)
    print(f"{killed} kills, {count} cancellations, {len(paid)} parts paid, {len(given_up)} mails left to staff")


def until_quiet(count: int) -> None:
    """Until every refund has bounced once and came back, and nothing waits."""
    for _ in range(1200):
        parts = RefundPart.objects.exclude(refund__status="VOIDED")
        is_told = Charge.objects.filter(external_id__startswith="late-", refunded=3000).count() == count
        if (
            is_told
            and not Refund.objects.exclude(status__in=["SUCCEEDED", "VOIDED"]).exists()
            and not parts.filter(retries=0).exists()
            and not Task.objects.filter(status="WAITING", run_at__lte=timezone.now() + timedelta(days=4)).exists()
        ):
            return
        time.sleep(0.2)
    pytest.fail(f"not finished: {list(Task.objects.filter(status='WAITING').values('key', 'last_failure')[:5])}")
