"""Waking a worker through the broker: from a thread of its own, once for many changes, and nobody waits for it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from kombu import Connection

from outbox import notifier
from outbox.models import Task
from subscriptions.models import Cancellation
from tests.graphql.documents import CANCEL
from tests.kills.test_faults import cancel_input
from tests.kills.test_kills import ROOT
from tests.outsiders import refused, require, silent
from tests.world import Api, World

REDIS = os.environ.get("WAYOUT_TEST_REDIS", "redis://127.0.0.1:6379/9")
RABBIT = os.environ.get("WAYOUT_TEST_RABBIT", "amqp://guest:guest@127.0.0.1:5672//")


@pytest.fixture
def broker(settings: Any) -> Iterator[Any]:
    """Where the broker is, said to this process; the queue is the test's own."""
    from outbox.broker import app

    before = (app.conf.broker_url, app.conf.task_default_queue)

    def choose(url: str) -> str:
        settings.WAYOUT_BROKER_URL, settings.WAYOUT_QUEUE = url, f"wayout-test-{uuid.uuid4().hex}"
        app.conf.update(broker_url=url, task_default_queue=settings.WAYOUT_QUEUE)
        app.__dict__.pop("amqp", None)  # keeps the queue of before
        queue: str = settings.WAYOUT_QUEUE
        return queue

    yield choose
    until_quiet()
    app.conf.update(broker_url=before[0], task_default_queue=before[1])
    app.__dict__.pop("amqp", None)


def until_quiet(seconds: float = 10) -> float:
    """How long it took until nothing was to be told any more."""
    began = time.monotonic()
    while notifier.is_anybody_to_notify() and time.monotonic() - began < seconds:
        time.sleep(0.01)
    return time.monotonic() - began


def canceled(api: Api, world: World) -> float:
    """Cancel online; how long the answer took, in seconds."""
    given = cancel_input(api, world.subscription().pk)
    began = time.monotonic()
    assert api(CANCEL, input=given)["cancelSubscription"]["cancellation"]["reference"]
    return time.monotonic() - began


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scheme", ["redis", "amqp"])
@pytest.mark.parametrize("trouble", ["refused", "silent"])
def test_a_broker_in_trouble_costs_the_answer_nothing_and_is_asked_once_a_ring(
    broker: Any, scheme: str, trouble: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.build()
    api = Api(world.admin)
    told, tell = [], notifier._notify
    monkeypatch.setattr(notifier, "_notify", lambda: (told.append(1), tell()))
    with nullcontext(refused()) if trouble == "refused" else silent() as outsider:
        broker(f"{scheme}://127.0.0.1:{outsider.port}/")
        assert canceled(api, world) < 2
        assert until_quiet() < 4
        # One commit rings more than once; what rings while the first is told is told together.
        assert 1 <= len(told) <= 2
        assert len(outsider.calls) == (len(told) if trouble == "silent" else 0)
    assert caplog.text.count("the broker was not told") == len(told)
    assert Cancellation.objects.count() == 1
    assert Task.objects.filter(status="WAITING").exists()


@pytest.mark.django_db(transaction=True)
def test_changes_during_a_call_to_a_silent_broker_are_told_together(broker: Any) -> None:
    world = World.build()
    api = Api(world.admin)
    with silent() as outsider:
        broker(f"redis://127.0.0.1:{outsider.port}/0")
        assert sum(canceled(api, world) for _ in range(10)) < 10
        until_quiet()
        assert 1 <= len(outsider.calls) <= 6


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", [REDIS, RABBIT], ids=["redis", "amqp"])
def test_a_broker_that_is_there_is_told(broker: Any, url: str) -> None:
    require(url)
    queue = broker(url)
    with Connection(url, connect_timeout=2) as connection:
        world = World.build()
        assert canceled(Api(world.admin), world) < 2
        with connection.SimpleQueue(queue) as messages:
            told = messages.get(timeout=5)
            assert told.headers["task"] == "outbox.work"
            told.ack()
        connection.channel().queue_delete(queue)


def test_many_rings_during_one_are_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    began, go, told = threading.Semaphore(0), threading.Event(), []

    def tell() -> None:
        told.append(threading.current_thread())
        began.release()
        go.wait(10)

    monkeypatch.setattr(notifier, "_notify", tell)
    notifier.notify_workers()
    assert began.acquire(timeout=5)
    for _ in range(1000):
        notifier.notify_workers()
    go.set()
    until_quiet()
    assert len(told) == 2
    assert len(set(told)) == 1
    assert told[0].daemon


def test_a_process_that_was_forked_rings_by_itself_and_none_is_kept_from_ending() -> None:
    code = """
import os, time
from outbox import notifier
told = []
notifier._notify = lambda: told.append(os.getpid())
def rung():
    notifier.notify_workers()
    for _ in range(500):
        if told and told[-1] == os.getpid(): return True
        time.sleep(0.01)
assert rung()
child = os.fork()
if not child:
    os._exit(0 if rung() else 1)
assert os.waitpid(child, 0)[1] == 0
notifier._notify = lambda: time.sleep(60)
notifier.notify_workers()
print("the end")
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "the end"), ran.stderr
    assert time.monotonic() - began < 30


def test_without_a_broker_nothing_of_celery_is_loaded() -> None:
    code = """
import sys, django
django.setup()
import portal.urls, outbox.queue, outbox.worker
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("celery", "kombu")))
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50, check=False
    )
    assert ran.stdout.strip() == "[]", ran.stderr
