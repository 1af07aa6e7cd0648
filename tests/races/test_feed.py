"""The feed while everybody writes: a reader gets each event once, in one order, and none that was rolled back."""

from __future__ import annotations

import random
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from subscriptions.events import SubscriptionEvent
from tests.builders import NOW
from tests.races.together import together
from tests.world import World
from webhooks.events import publish
from webhooks.feed import KEPT_FOR, events_after, forget_events, last_position, position_events
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)
WRITERS, EACH = 16, 12


class Undone(Exception):
    """What a writer has done is rolled back."""


def write(tenant_id: int, number: int) -> list[str]:
    """Publish within transactions that last; the events that were committed."""
    chance, committed = random.Random(number), []
    for n in range(EACH):
        try:
            with transaction.atomic():
                event = publish(
                    type=SubscriptionEvent.USERS_REMOVED, key=f"{number}:{n}", tenant_id=tenant_id,
                    subject=f"sub_{chance.randint(1, 4)}", describe=dict, now=NOW,
                )  # fmt: skip
                time.sleep(chance.random() / 100)
                if chance.random() < 0.25:
                    raise Undone
        except Undone:
            continue
        assert event
        committed.append(event.message_id)
    return committed


class Reader:
    """Reads on from where it was until nobody writes any more and nothing is left."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.positions: list[int] = []
        self.over = threading.Event()

    def run(self) -> list[str]:
        while True:
            over = self.over.is_set()
            last_position()
            found = events_after(self.positions[-1] if self.positions else None, Event.objects.all(), 7)
            self.read += [event.message_id for event in found]
            self.positions += [event.position for event in found if event.position]
            if over and not found:
                return self.read


def everybody(readers: int) -> tuple[set[str], list[Reader]]:
    """All writers with these readers, and one who positions beside them; what was committed."""
    tenant, reading = World.build().tenant, [Reader() for _ in range(readers)]
    left = threading.Semaphore(0)

    def work(number: int) -> Any:
        if number < readers:
            return reading[number].run()
        if number == readers:
            while not reading[0].over.is_set():
                position_events(NOW)
                time.sleep(0.003)
            return None
        try:
            return write(tenant.pk, number)
        finally:
            left.release()

    def end() -> None:
        for _ in range(WRITERS):
            left.acquire()
        for reader in reading:
            reader.over.set()

    ending = threading.Thread(target=end)
    ending.start()
    answers = together(readers + 1 + WRITERS, work)
    ending.join()
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    return {event for number in range(WRITERS) for event in committed_by(answers, number)}, reading


def committed_by(answers: list[Any], number: int) -> list[str]:
    """``together`` leaves out who answered None, which is the one before the writers."""
    found: list[str] = answers[number - WRITERS]
    return found


@pytest.mark.parametrize("readers", [1, 3])
def test_no_event_is_missed_or_read_twice(readers: int) -> None:
    committed, reading = everybody(readers)
    assert len(committed) > WRITERS
    for reader in reading:
        assert len(reader.read) == len(committed)
        assert set(reader.read) == committed
        assert reader.positions == list(range(1, len(committed) + 1))
    assert last_position() == len(committed) == Event.objects.count()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite one writes after the other")
def test_what_commits_after_a_later_one_was_read_comes_next() -> None:
    tenant, begun, go_on = World.build().tenant, threading.Event(), threading.Event()

    def happens(number: int) -> None:
        publish(
            type=SubscriptionEvent.USERS_REMOVED, key=f"{number}", tenant_id=tenant.pk, subject=f"sub_{number}",
            describe=dict, now=NOW,
        )  # fmt: skip

    def work(number: int) -> Any:
        if number == 0:
            with transaction.atomic():
                happens(1)
                begun.set()
                go_on.wait(30)
            return "late"
        begun.wait(30)
        with transaction.atomic():
            happens(2)
        last_position()
        first = [(event.key, event.position) for event in events_after(None, Event.objects.all(), 10)]
        go_on.set()
        return first

    answers = together(2, work)
    assert answers == ["late", [("2", 1)]]
    last_position()
    assert [event.key for event in events_after(1, Event.objects.all(), 10)] == ["1"]
    assert Event.objects.get(key="1").pk < Event.objects.get(key="2").pk


def test_forgetting_and_positioning_at_once() -> None:
    tenant = World.build().tenant
    for n in range(30):
        with transaction.atomic():
            publish(
                type=SubscriptionEvent.USERS_REMOVED, key=f"{n}", tenant_id=tenant.pk, subject="sub_1", describe=dict,
                now=NOW + timedelta(days=n % 2 * 60),
            )  # fmt: skip
    at = NOW + KEPT_FOR + timedelta(days=1)
    answers = together(8, lambda n: forget_events(at) if n % 2 else position_events(at))
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert last_position() == 30
    assert Event.objects.filter(position=None).count() == 0
    assert Event.objects.count() == 15
