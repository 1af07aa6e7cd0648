"""Lanes: what waits for a mail server or a receiver, or works long, keeps nothing else waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import Refund
from outbox import registry, watch, worker
from outbox.lanes import Lanes
from outbox.models import PeriodicRun, Task
from outbox.queue import enqueue, enqueue_anew
from outbox.registry import Lane
from outbox.worker import LEASE, claim, lanes_due
from tenants.callers import Scope
from tenants.models import PartnerToken
from tenants.people import SYSTEM
from tests.builders import NOW
from tests.outsiders import silent
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World
from webhooks.endpoints import register

pytestmark = pytest.mark.django_db(transaction=True)
LANES = {
    Lane.MONEY: {
        "agreement.confirm_stop", "agreement.look", "agreement.reprice", "agreement.stopped_elsewhere", "refund.check",
        "refund.failed", "refund.owed", "refund.returned", "refund.submit",
    },
    Lane.MAIL: {
        "mail.account", "mail.callback", "mail.cancellation", "mail.invitation", "mail.staff", "webhook.disabled",
    },
    Lane.WEBHOOKS: {"event.effective", "webhook.deliver"},
    Lane.SYNC: {"sync.run", "removals.carry"},
    Lane.LONG: {"reconcile"},
}  # fmt: skip
# Seconds after which something that should happen at once did not.
AT_MOST = 30
# Due by any clock.
LONG_AGO = datetime(2026, 1, 1, tzinfo=NOW.tzinfo)


def test_each_kind_is_in_the_lane_of_whom_it_waits_for() -> None:
    assert set(registry._lanes) == set(registry._handlers)
    found: dict[Lane, set[str]] = {lane: set() for lane in Lane}
    for kind, lane in registry._lanes.items():
        found[lane].add(kind)
    assert found == LANES


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """One kind a lane, named like it; the one named "hang" is in WEBHOOKS and waits until this is set."""
    released = threading.Event()
    monkeypatch.setattr(registry, "_periodic", {})
    handlers: dict[str, Any] = {lane.value: lambda *_: None for lane in Lane}
    monkeypatch.setattr(registry, "_handlers", {**handlers, "hang": lambda *_: released.wait(AT_MOST) and None})
    monkeypatch.setattr(registry, "_lanes", {**{lane.value: lane for lane in Lane}, "hang": Lane.WEBHOOKS})
    yield released
    released.set()


def ask(kind: str, number: int = 0, **more: Any) -> None:
    enqueue(kind=kind, key=f"{kind}{number}", payload={}, run_at=LONG_AGO, now=NOW, **more)


def clock() -> datetime:
    return NOW


def wait_for(is_so: Any) -> None:
    give_up_at = time.monotonic() + AT_MOST
    while not is_so():
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


def started(lanes: Lanes) -> threading.Thread:
    def work() -> None:
        try:
            lanes.work()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.fixture
def working(hung: threading.Event) -> Iterator[Lanes]:
    lanes = Lanes(clock=clock, pause=0.05)
    thread = started(lanes)
    yield lanes
    lanes.stop()
    hung.set()
    thread.join(AT_MOST)
    assert not thread.is_alive()


def done(kind: str) -> int:
    return Task.objects.filter(kind=kind, status="DONE").count()


@pytest.mark.usefixtures("working")
def test_what_hangs_in_one_lane_keeps_no_other_waiting(hung: threading.Event) -> None:
    for number in range(5):
        ask("hang", number)
    wait_for(lambda: Task.objects.filter(kind="hang", leased_until__isnull=False).exists())
    for number in range(15):
        for kind in ("MONEY", "MAIL", "LONG"):
            ask(kind, number)
    ask("WEBHOOKS")
    wait_for(lambda: done("MONEY") == done("MAIL") == done("LONG") == 15)
    assert done("hang") == done("WEBHOOKS") == 0
    hung.set()
    wait_for(lambda: (done("hang"), done("WEBHOOKS")) == (5, 1))


def test_a_process_of_celery_that_is_held_up_in_one_lane_goes_on_in_the_others(hung: threading.Event) -> None:
    from outbox.tasks import work

    def work_in_a_thread() -> None:
        try:
            work()
        finally:
            connection.close()

    ask("hang")
    thread = threading.Thread(target=work_in_a_thread)
    thread.start()
    wait_for(lambda: Task.objects.filter(kind="hang", leased_until__isnull=False).exists())
    # It was woken before there was anything else to do, and the next message may find no process that is free.
    for number in range(15):
        ask("MONEY", number)
    wait_for(lambda: done("MONEY") == 15)
    assert done("hang") == 0
    hung.set()
    thread.join(AT_MOST)
    assert (thread.is_alive(), done("hang")) == (False, 1)


def test_refunds_go_out_while_receivers_and_the_mail_server_say_nothing(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_periodic", {})
    settings.WAYOUT_WEBHOOK_PRIVATE, settings.WAYOUT_WEBHOOK_TIMEOUT = True, 3
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = "outbox.smtp.EmailBackend", "127.0.0.1"
    world = World.build(billing_contact_email="books@contoso.example")
    world.token(Scope.WEBHOOKS)
    with ExitStack() as stack:
        receivers, server = [stack.enter_context(silent()) for _ in range(5)], stack.enter_context(silent())
        settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = server.port, 3
        for receiver in receivers:
            register(
                partner=PartnerToken.objects.get().partner, url=f"http://127.0.0.1:{receiver.port}/", events=[],
                contact_email="", language="en", caller=SYSTEM, now=NOW,
            )  # fmt: skip
        for _ in range(15):
            cancel(world, world.subscription(2))
        lanes = Lanes(clock=lambda: NOW + timedelta(days=4), pause=0.1)
        thread = started(lanes)
        try:
            wait_for(lambda: Refund.objects.filter(status="SUCCEEDED").count() == 15)
            assert any(receiver.calls for receiver in receivers)
            assert server.calls
            assert done("webhook.deliver") == done("mail.cancellation") == 0
        finally:
            lanes.stop()
            thread.join(60)
    assert not thread.is_alive()


def test_once_does_all_that_is_due_and_what_follows_from_it(
    hung: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._handlers, "MONEY", lambda *_: ask("MAIL", 1))
    monkeypatch.setitem(registry._handlers, "MAIL", lambda *_: ask("WEBHOOKS", 1))
    monkeypatch.setattr(registry, "_periodic", {"sweep": (lambda now: ask("MONEY") or 1, timedelta(hours=1))})
    ask("LONG")
    assert Lanes(clock=clock).work_once() == 4
    assert set(Task.objects.values_list("status", flat=True)) == {"DONE"}
    assert Lanes(clock=clock).work_once() == 0


def test_once_ends_after_about_as_many_as_were_asked_for(
    hung: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry._handlers, "MONEY", lambda *_: NOW)  # always something left
    ask("MONEY")
    assert Lanes(clock=clock, pause=0.02).work_once(20) >= 20


@pytest.mark.usefixtures("hung")
def test_a_process_of_some_lanes_leaves_the_others_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[datetime] = []
    monkeypatch.setattr(registry, "_periodic", {"sweep": (lambda now: len(swept.append(now) or []), LEASE)})
    for lane in Lane:
        ask(lane.value)
    call_command("work", "--once", "--lane", "money", "--lane", "WEBHOOKS")
    assert "Attempted 2 tasks." in capsys.readouterr().out
    assert set(Task.objects.filter(status="DONE").values_list("kind", flat=True)) == {"MONEY", "WEBHOOKS"}
    assert swept == []
    call_command("work", "--once", "--lane", "LONG")
    assert len(swept) == 1
    with pytest.raises(CommandError):
        call_command("work", "--once", "--lane", "mails")


@pytest.mark.usefixtures("hung")
def test_a_row_says_its_lane_and_one_of_an_earlier_version_finds_it() -> None:
    ask("MAIL")
    enqueue_anew(kind="WEBHOOKS", payloads={"w": {}}, now=NOW)
    assert set(Task.objects.values_list("kind", "lane")) == {("MAIL", "MAIL"), ("WEBHOOKS", "WEBHOOKS")}
    # Earlier versions know of no lane: the database gives one.
    Task.objects.update(lane="MONEY")
    assert claim(NOW, [Lane.MONEY]) is None
    assert set(Task.objects.values_list("kind", "lane")) == {("MAIL", "MAIL"), ("WEBHOOKS", "WEBHOOKS")}
    found = claim(NOW, [Lane.MAIL])
    assert found
    assert (found.kind, found.crashes) == ("MAIL", 0)


def test_what_waited_before_there_were_lanes_is_given_its_own() -> None:
    """Kinds that came later were never anywhere else."""
    before = {lane: kinds - {"mail.invitation"} for lane, kinds in LANES.items() if lane is not Lane.SYNC}
    for number, kind in enumerate(kind for kinds in before.values() for kind in kinds):
        ask(kind, number)
    Task.objects.update(lane="MONEY")
    import_module("outbox.migrations.0004_lanes").set_lanes(apps, None)
    assert {(kind, Lane(lane)) for kind, lane in Task.objects.values_list("kind", "lane")} == {
        (kind, lane) for lane, kinds in before.items() for kind in kinds
    }


@pytest.mark.usefixtures("hung")
def test_one_look_finds_every_lane_in_which_something_is_due() -> None:
    assert lanes_due(NOW) == set()
    ask("MONEY")
    ask("LONG", 0)
    ask("LONG", 1)
    assert lanes_due(LONG_AGO - timedelta(seconds=1)) == set()
    with CaptureQueriesContext(connection) as asked:
        assert lanes_due(NOW) == {Lane.MONEY, Lane.LONG}
    assert len(asked) == 1
    assert claim(NOW, [Lane.MONEY])
    assert lanes_due(NOW) == {Lane.LONG}
    assert lanes_due(NOW + LEASE) == {Lane.MONEY, Lane.LONG}


def test_an_idle_look_asks_two_things_and_one_more_every_ten_seconds() -> None:
    PeriodicRun.objects.bulk_create(
        PeriodicRun(name=name, next_at=timezone.now() + interval)
        for name, (_work, interval) in registry.periodic_work().items()
    )
    lanes = Lanes()
    with CaptureQueriesContext(connection) as first:
        assert not lanes._look()
    with CaptureQueriesContext(connection) as second:
        assert not lanes._look()
    clocks = 1 if connection.vendor == "postgresql" else 0
    assert (len(first), len(second)) == (2 + clocks, 1 + clocks)


def test_who_is_stopped_finishes_what_it_began(hung: threading.Event) -> None:
    lanes = Lanes(clock=clock, pause=0.05)
    ask("hang", 0)
    ask("hang", 1)
    thread = started(lanes)
    wait_for(lambda: Task.objects.filter(leased_until__isnull=False).exists())
    lanes.stop()
    thread.join(0.3)
    assert thread.is_alive()
    hung.set()
    thread.join(AT_MOST)
    assert (thread.is_alive(), done("hang")) == (False, 1)


@pytest.mark.usefixtures("hung")
def test_a_lane_that_ends_ends_the_process_and_is_not_left_without_anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    def work_off(_clock: Any, _limit: int, lanes: list[Lane]) -> int:
        if Lane.MAIL in lanes:
            raise RuntimeError("unexpected")
        return worker.work_off(clock, 1, lanes)

    monkeypatch.setattr("outbox.lanes.work_off", work_off)
    ask("MONEY")
    ask("MAIL")
    with pytest.raises(RuntimeError, match="unexpected"):
        Lanes(clock=clock, pause=0.05).work()


@pytest.mark.usefixtures("hung")
def test_a_database_that_is_gone_is_reported_and_waited_for_and_once_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures, reported = [OperationalError("gone")] * 2, []

    def work_off(_clock: Any, _limit: int, lanes: list[Lane]) -> int:
        if failures:
            raise failures.pop()
        return worker.work_off(clock, 1, lanes)

    monkeypatch.setattr("outbox.lanes.work_off", work_off)
    ask("MONEY")
    Lanes(clock=clock, pause=0.02, report=reported.append).work(lambda: done("MONEY") == 1)
    assert len(reported) == 2
    failures.append(OperationalError("gone"))
    ask("MAIL")
    with pytest.raises(OperationalError):
        Lanes(clock=clock, pause=0.02).work_once()


def test_what_takes_too_long_is_the_only_one_that_counts_a_crash(
    hung: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others get their time; what is not finished then is free at once, but for mail that may have left."""
    left = threading.Event()
    monkeypatch.setattr(watch, "LONGEST", timedelta(seconds=0.5))
    monkeypatch.setattr(watch, "_GRACE", 2.0)
    monkeypatch.setattr(watch, "leave", lambda: (left.set(), time.sleep(1)))
    # They work on longer than the culprit.
    monkeypatch.setitem(registry._handlers, "MONEY", lambda *_: time.sleep(0.6))
    for kind in ("LONG", "MAIL"):
        monkeypatch.setitem(registry._handlers, kind, lambda *_: left.wait(AT_MOST) and None)
    lanes = Lanes(clock=clock, pause=0.02)
    ask("hang")
    thread = started(lanes)
    wait_for(lambda: Task.objects.filter(kind="hang", leased_until__isnull=False).exists())
    time.sleep(0.2)
    monkeypatch.setattr(watch, "LONGEST", timedelta(seconds=60))
    ask("MONEY")
    ask("LONG")
    ask("MAIL", at_most_once=True)
    assert left.wait(AT_MOST)
    states = {task.kind: (task.status, task.leased_until is None) for task in Task.objects.all()}
    lanes.stop()
    hung.set()
    thread.join(AT_MOST)
    # A process that ended would be gone; this one goes on.
    wait_for(lambda: not watch.ending.is_set())
    assert states == {
        "hang": ("WAITING", False),
        "MONEY": ("DONE", True),
        "LONG": ("WAITING", True),
        "MAIL": ("WAITING", False),
    }


def test_what_has_ended_a_worker_is_tried_alone(hung: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once: list[int] = []
    count, lock = [0], threading.Lock()

    def enter(*_: Any) -> None:
        with lock:
            count[0] += 1
            at_once.append(count[0])
        time.sleep(0.3)
        with lock:
            count[0] -= 1

    for lane in Lane:
        monkeypatch.setitem(registry._handlers, lane.value, enter)
        ask(lane.value)
    Lanes(clock=clock).work_once()
    assert max(at_once) > 1
    at_once.clear()
    with transaction.atomic():
        Task.objects.update(status="WAITING", crashes=1, finished_at=None)
    Lanes(clock=clock).work_once()
    assert at_once == [1] * len(Lane)
    assert set(Task.objects.values_list("status", "crashes")) == {("DONE", 0)}
