"""kill -9 of who writes events and of who gives them positions, while somebody reads: none is missed or read twice."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from tests.kills.test_kills import SEED, Actor, environment
from tests.world import World
from webhooks.feed import events_after, last_position
from webhooks.models import Event, FeedHead

__all__ = ["environment"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def actors(environment: dict[str, str]) -> Iterator[list[Actor]]:
    World.build()
    started = [Actor(kind, environment) for kind in ("publisher", "publisher", "positioner", "positioner")]
    yield started
    for actor in started:
        actor.kill()


def read_on(read: list[str], position: int | None) -> int | None:
    """Everything that follows; where it ended."""
    last_position()
    while found := events_after(position, Event.objects.all(), 100):
        read += [event.message_id for event in found]
        position = found[-1].position
    return position


@pytest.mark.parametrize("kills", [pytest.param(8, id="few"), pytest.param(60, id="many", marks=pytest.mark.long)])
def test_a_reader_gets_each_event_once_whoever_dies(kills: int, actors: list[Actor]) -> None:
    chance, position = random.Random(SEED), None
    read: list[str] = []
    killed = 0
    while killed < kills or not read:
        actor = chance.choice(actors)
        until = time.monotonic() + chance.uniform(0.4, 1.6)
        while time.monotonic() < until:
            position = read_on(read, position)
            time.sleep(0.02)
        killed += actor.kill()
        actor.start()
    for actor in actors:
        actor.kill()
    position = read_on(read, position)
    assert read == list(Event.objects.order_by("position").values_list("message_id", flat=True))
    assert len(read) == len(set(read)) == position == FeedHead.objects.get().position == Event.objects.count() > 0
    print(f"{killed} kills, {len(read)} events read")
