"""The feed: each event once, in an order that is final; what nobody keeps any more is said."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from common.errors import InputInvalid
from tests.builders import NOW
from tests.partners import Partner
from tests.webhooks.receiver import Receiver
from tests.world import World
from webhooks import feed
from webhooks.errors import CursorExpired
from webhooks.feed import KEPT_FOR, events_after, forget_events, last_position, position_events
from webhooks.models import Event, FeedHead

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def quiet(world: World, receiver: Receiver) -> Partner:
    """Where nobody listens."""
    return Partner(world, None, "", receiver)  # type: ignore[arg-type]


def read(after: int | None = None, limit: int = 100) -> list[int | None]:
    return [event.position for event in events_after(after, Event.objects.all(), limit)]


def test_positions_are_given_once_without_a_gap(quiet: Partner) -> None:
    assert last_position() == 0
    for _ in range(3):
        quiet.happens()
    assert last_position() == 3
    before = dict(Event.objects.values_list("pk", "position"))
    quiet.happens()
    assert position_events(NOW) == 1
    assert position_events(NOW) == 0
    after = dict(Event.objects.values_list("pk", "position"))
    assert before.items() < after.items()
    assert sorted(after.values()) == [1, 2, 3, 4]


def test_what_was_committed_late_comes_later_whatever_its_id(quiet: Partner) -> None:
    late, early = quiet.happens(), quiet.happens()
    assert late
    assert early
    Event.objects.filter(pk=late.pk).update(position=99)  # as if it were not committed yet
    last_position()
    Event.objects.filter(pk=late.pk).update(position=None)
    assert last_position() == 2
    assert list(Event.objects.order_by("position")) == [early, late]


def test_many_are_positioned_in_pieces(quiet: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_BATCH", 2)
    for _ in range(5):
        quiet.happens()
    assert last_position() == 5
    assert list(Event.objects.order_by("pk").values_list("position", flat=True)) == [1, 2, 3, 4, 5]


def test_a_reader_goes_on_from_where_it_was(quiet: Partner) -> None:
    for _ in range(5):
        quiet.happens()
    last_position()
    assert (read(limit=2), read(2, 2), read(4, 2), read(5)) == ([1, 2], [3, 4], [5], [])


def test_what_is_not_positioned_is_not_read(quiet: Partner) -> None:
    quiet.happens()
    assert read() == []


def test_a_position_that_nothing_has_is_refused(quiet: Partner) -> None:
    quiet.happens()
    assert last_position() == 1
    with pytest.raises(InputInvalid):
        read(2)


def test_a_reader_that_missed_something_is_told_and_nobody_else(quiet: Partner) -> None:
    for _ in range(3):
        quiet.happens()
    quiet.now = NOW + 2 * DAY
    quiet.happens()
    assert forget_events(NOW + KEPT_FOR + DAY) == 3
    for expired in (0, 2):
        with pytest.raises(CursorExpired):
            read(expired)
    assert (read(3), read(), read(4)) == ([4], [4], [])
    assert last_position() == 4


def test_positions_go_on_where_everything_was_forgotten_unread(quiet: Partner) -> None:
    quiet.happens()
    assert forget_events(NOW + KEPT_FOR + DAY) == 1
    head = FeedHead.objects.get()
    assert (head.position, head.forgotten) == (1, 1)
    quiet.happens()
    assert last_position() == 2


def test_reading_costs_the_same_however_much_there_is(quiet: Partner, django_assert_num_queries: Any) -> None:
    for count in (1, 20):
        for _ in range(count):
            quiet.happens()
        last_position()
        with django_assert_num_queries(4):
            assert last_position() >= count
            assert len(read(0)) >= count


def test_positioning_a_batch_costs_a_few_statements(quiet: Partner, django_assert_num_queries: Any) -> None:
    quiet.happens()
    last_position()
    for _ in range(20):
        quiet.happens()
    batch = 4 + 2  # the head, its lock, the events, the head, and the savepoint around
    with django_assert_num_queries(1 + batch + 1):
        assert last_position() == 21


def test_a_batch_that_is_cut_short_leaves_nothing_behind(quiet: Partner) -> None:
    for _ in range(3):
        quiet.happens()
    with pytest.MonkeyPatch.context() as cut:
        cut.setattr(FeedHead.objects, "filter", lambda **_given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            position_events(NOW)
    assert not FeedHead.objects.filter(position__gt=0).exists()
    assert set(Event.objects.values_list("position", flat=True)) == {None}
    assert last_position() == 3
