"""Grown: Celery on Redis wakes the worker as soon as something is to be done, by configuration only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.utils import timezone

from outbox.models import Task
from tests.kills.test_kills import ROOT, environment_of, mails
from tests.outsiders import require
from tests.served.clone import PRODUCTION, environment, run
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
REDIS = os.environ.get("WAYOUT_TEST_REDIS", "redis://127.0.0.1:6379/9")


@pytest.fixture
def worker(tmp_path: Path, settings: Any) -> Iterator[None]:
    """A Celery worker of our own queue, on the test's database."""
    require(REDIS)
    settings.WAYOUT_BROKER_URL, settings.WAYOUT_QUEUE = REDIS, f"wayout-test-{uuid.uuid4().hex}"
    from outbox.broker import app

    app.conf.update(broker_url=REDIS, task_default_queue=settings.WAYOUT_QUEUE)
    environment = {
        **environment_of(tmp_path), "WAYOUT_BROKER_URL": REDIS, "WAYOUT_QUEUE": settings.WAYOUT_QUEUE,
    }  # fmt: skip
    command = [sys.executable, "-m", "celery", "-A", "outbox.tasks", "worker", "--pool", "solo", "-l", "error"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:
        yield
        process.terminate()
    redis.Redis.from_url(REDIS).delete(settings.WAYOUT_QUEUE)


def test_a_cancellation_is_told_through_celery(worker: None, tmp_path: Path) -> None:
    world, now = World.build(), timezone.now()
    cancel(
        world,
        world.subscription(period_start=now.replace(day=1, month=1), period_end=now.replace(year=now.year + 1)),
        at=now,
    )
    for _ in range(300):
        if not Task.objects.filter(status="WAITING", run_at__lte=timezone.now()).exists():
            break
        time.sleep(0.1)
    assert list(Task.objects.filter(kind="mail.cancellation").values_list("status", flat=True)) == ["DONE"]
    assert sum(mails(tmp_path).values()) == 1


@pytest.mark.long
def test_its_lines_are_lines_of_our_log(tmp_path: Path) -> None:
    wayout = {**PRODUCTION, "WAYOUT_VAR": str(tmp_path), "WAYOUT_BROKER_URL": "memory://"}
    run(ROOT, "manage.py", "migrate", "--verbosity", "0", **wayout)
    given = environment(**wayout)
    # Who runs the tests as root is warned of it, by Python.
    command = [sys.executable, "-W", "ignore", "-m", "celery", "--quiet", "-A", "outbox.tasks", "worker", "-l", "info"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen([*command, "--pool", "solo"], cwd=ROOT, env=given, stdout=log, stderr=log)
        try:
            for _ in range(300):
                if " ready" in (said := (tmp_path / "log").read_text()):
                    break
                time.sleep(0.1)
        finally:
            process.terminate()
            process.wait(30)
    lines = [json.loads(line) for line in said.splitlines()]
    assert {line["logger"].partition(".")[0] for line in lines} <= {"celery", "kombu"}
    assert all(line["event"] and line["timestamp"] for line in lines)
