"""Every event reaches a receiver exactly once by its id, whatever the receiver does meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from outbox.models import Task
from outbox.worker import LEASE
from subscriptions.events import SubscriptionEvent
from tenants.callers import Scope
from tenants.models import AuditEvent, PartnerToken
from tenants.people import SYSTEM
from tenants.tokens import revoke_token, rotate_token
from tests.builders import NOW
from tests.partners import Partner
from tests.webhooks.receiver import Behavior, Receiver
from tests.world import World
from webhooks import deliveries
from webhooks.endpoints import register, remove, resume, rotate_secret
from webhooks.feed import KEPT_FOR, forget_events
from webhooks.models import Delivery, Event
from webhooks.sending import EndpointResponse
from webhooks.signing import computed

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def everything_arrived(partner: Partner) -> bool:
    """Each event, once by its id."""
    expected = set(Event.objects.values_list("message_id", flat=True))
    return len(expected) > 0 and set(partner.receiver.ids) == expected


def test_an_event_arrives_signed_with_its_id_version_and_time(partner: Partner) -> None:
    event = partner.happens(removedUsers=3)
    assert event
    partner.work()
    [(message_id, message)] = partner.receiver.accepted
    assert message_id == event.message_id
    assert message == {
        "type": "users.removed",
        "timestamp": NOW.isoformat(),
        "version": 1,
        "data": {"removedUsers": 3},
    }
    assert partner.again().delivered_at == NOW


def test_a_forged_message_is_not_genuine(partner: Partner) -> None:
    partner.receiver.secret = computed("another", "of somebody else")
    partner.happens()
    partner.work()
    assert partner.receiver.accepted == []
    assert partner.again().last_problem == "HTTP 401"


def down(_: dict[str, Any]) -> int:
    return 500


@pytest.mark.parametrize(
    "behavior",
    [
        pytest.param(down, id="500"),
        pytest.param(lambda _: 503, id="503"),
        pytest.param(lambda _: 302, id="redirects"),
        pytest.param(lambda _: 307, id="redirects with the body"),
        pytest.param(lambda _: 404, id="404"),
        pytest.param(lambda _: 429, id="429"),
        pytest.param(lambda _: "close", id="hangs up"),
        pytest.param(lambda _: "hang", id="hangs", marks=pytest.mark.long),
        pytest.param(lambda _: "drip", id="drips", marks=pytest.mark.long),
    ],
)
def test_a_receiver_that_is_broken_for_an_hour_gets_everything_when_it_is_back(
    partner: Partner, behavior: Behavior
) -> None:
    partner.receiver.behave = behavior
    for n in range(12):
        partner.happens(subject=f"sub_{n % 3}", n=n)
        partner.wait(timedelta(minutes=5), timedelta(minutes=1))
    assert partner.receiver.accepted == []
    assert partner.receiver.elsewhere == []
    assert partner.again().failing_since is not None
    assert partner.endpoint.disabled_at is None
    partner.receiver.behave = lambda _: 200
    partner.wait(3 * HOUR, timedelta(minutes=5))
    assert everything_arrived(partner)
    assert len(partner.receiver.ids) == 12
    assert partner.again().failing_since is None
    assert set(Delivery.objects.values_list("status", flat=True)) == {"DELIVERED"}


@pytest.mark.parametrize("behavior", ["hang", "drip"])
def test_a_slow_receiver_costs_no_more_than_its_time(partner: Partner, behavior: str) -> None:
    import time

    partner.receiver.behave = lambda _: behavior
    partner.happens()
    began = time.monotonic()
    partner.work()
    assert time.monotonic() - began < 5  # without a limit it would be 20 seconds and more
    assert partner.again().last_problem == "TIMEOUT"
    partner.receiver.behave = lambda _: 200
    partner.wait(timedelta(minutes=1))
    assert everything_arrived(partner)


def test_a_receiver_that_is_not_there(partner: Partner) -> None:
    partner.endpoint.url = "http://127.0.0.1:9/hook"
    partner.endpoint.save()
    partner.happens()
    partner.wait(timedelta(minutes=1))
    assert partner.again().last_problem == "NO_CONNECTION"
    partner.endpoint.url = partner.receiver.url
    partner.endpoint.save()
    partner.wait(timedelta(minutes=10))
    assert everything_arrived(partner)


def test_of_what_waits_for_a_dead_receiver_one_at_a_time_is_tried(partner: Partner) -> None:
    partner.receiver.behave = down
    for n in range(50):
        partner.happens(n=n)
    partner.wait(HOUR, timedelta(minutes=1))
    assert partner.receiver.asked < 25
    partner.receiver.behave = lambda _: 200
    partner.wait(timedelta(minutes=12), timedelta(minutes=1))
    assert everything_arrived(partner)


def test_one_message_that_the_receiver_cannot_take_holds_nothing_up(partner: Partner) -> None:
    for status in (400, 500):
        partner.receiver.behave = lambda message, status=status: status if message["data"].get("poison") else 200  # type: ignore[misc]
        partner.happens(poison=True)
        before = len(partner.receiver.ids)
        for n in range(6):
            partner.happens(n=n)
            partner.wait(timedelta(minutes=15), timedelta(minutes=1))
        assert len(partner.receiver.ids) - before == 6
    # For days; then it is given up, and can be sent again.
    for _ in range(90):
        partner.happens()
        partner.wait(HOUR, timedelta(minutes=20))
    given_up = Delivery.objects.filter(status="FAILED")
    assert [delivery.event.data for delivery in given_up] == [{"poison": True}] * 2
    assert partner.again().disabled_at is None
    partner.receiver.behave = lambda _: 200
    assert resume(endpoint=partner.endpoint, since=None, caller=SYSTEM, now=partner.now) == 2
    partner.work()
    assert everything_arrived(partner)
    assert len(partner.receiver.ids) == len(set(partner.receiver.ids))


def test_after_three_days_it_is_disabled_with_a_notice_and_goes_on_where_it_stopped(
    partner: Partner, settings: Any
) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["staff@wayout.example"]
    partner.receiver.behave = down
    partner.happens(n=0)
    partner.wait(3 * DAY + HOUR, timedelta(minutes=30))
    assert partner.again().disabled_at is not None
    [notice] = mail.outbox
    assert notice.to == ["ops@partner.example", "staff@wayout.example"]
    assert partner.receiver.url in notice.subject
    assert "HTTP 500" in notice.body
    assert "Спряхме" in notice.subject
    assert AuditEvent.objects.filter(action="webhook.disabled").count() == 1
    # What happens now waits for it, and costs nothing.
    asked = partner.receiver.asked
    partner.happens(n=1)
    partner.wait(DAY, timedelta(hours=6))
    assert partner.receiver.asked == asked
    partner.receiver.behave = lambda _: 200
    assert resume(endpoint=partner.endpoint, since=None, caller=SYSTEM, now=partner.now) == 2
    partner.work()
    assert [message["data"]["n"] for _, message in partner.receiver.accepted] == [0, 1]


@pytest.mark.parametrize("status", [404, 429, 503])
def test_a_receiver_that_asks_for_a_hundred_days_is_asked_again_after_one(
    partner: Partner, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    answer = EndpointResponse(status, f"HTTP {status}", timedelta(days=100))
    with monkeypatch.context() as refusing:
        refusing.setattr(deliveries, "send", lambda *_: answer)
        partner.happens()
        partner.work()
    partner.wait(DAY - HOUR, HOUR)
    assert partner.receiver.asked == 0
    partner.wait(3 * HOUR, HOUR)
    assert everything_arrived(partner)


def test_one_that_is_gone_is_disabled_at_once(partner: Partner) -> None:
    partner.receiver.behave = lambda _: 410
    partner.happens()
    partner.work()
    assert partner.again().disabled_at == NOW
    assert (partner.endpoint.last_problem, partner.receiver.asked) == ("HTTP 410", 1)
    partner.wait(DAY, timedelta(hours=6))
    assert partner.receiver.asked == 1


def test_what_arrived_can_be_sent_again_since_a_time_under_the_same_ids(partner: Partner) -> None:
    partner.happens(n=0)
    partner.work()
    partner.now += DAY
    partner.happens(n=1)
    partner.work()
    assert resume(endpoint=partner.endpoint, since=partner.now, caller=SYSTEM, now=partner.now) == 1
    partner.work()
    first, second, again = partner.receiver.ids
    assert second == again != first


def test_a_worker_that_died_after_the_receiver_had_it_sends_it_again_under_its_id(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(deliveries, "_note_arrival", die)
        partner.happens()
        with pytest.raises(Killed):
            partner.work()
    partner.now += LEASE + timedelta(seconds=1)
    partner.work()
    assert len(partner.receiver.ids) == 2
    assert everything_arrived(partner)


def test_while_a_secret_is_rotated_both_sign(partner: Partner) -> None:
    old = partner.receiver.secret
    new = rotate_secret(endpoint=partner.endpoint, caller=SYSTEM, now=NOW)
    assert new != old
    for secret in (old, new):
        partner.receiver.secret = secret
        partner.happens()
        partner.work()
    assert len(partner.receiver.ids) == 2
    partner.now += DAY
    partner.receiver.secret = old
    partner.happens()
    partner.work()
    assert len(partner.receiver.ids) == 2
    assert [len(s.split(" ")) for s in partner.receiver.signatures] == [2, 2]


def test_versions_grow_by_one_per_subject_and_outlive_what_is_forgotten(partner: Partner) -> None:
    for subject in ("sub_1", "sub_2", "sub_1"):
        partner.happens(subject=subject)
    assert list(Event.objects.order_by("pk").values_list("subject", "version")) == [
        ("sub_1", 1), ("sub_2", 1), ("sub_1", 2),
    ]  # fmt: skip
    partner.now += KEPT_FOR + DAY
    assert forget_events(partner.now) == 3
    assert Delivery.objects.count() == 0
    event = partner.happens(subject="sub_1")
    assert event
    assert event.version == 3


def test_it_hears_of_what_it_chose_alone(partner: Partner) -> None:
    register(
        partner=partner.endpoint.partner, url=partner.endpoint.url, events=[SubscriptionEvent.REFUND_SETTLED],
        contact_email="", language="en", caller=SYSTEM, now=NOW,
    )  # fmt: skip
    partner.happens(SubscriptionEvent.USERS_REMOVED)
    wanted = partner.happens(SubscriptionEvent.REFUND_SETTLED)
    assert [delivery.event for delivery in Delivery.objects.select_related("event")] == [wanted]


def test_nobody_hears_of_a_tenant_without_a_live_token_for_it(partner: Partner) -> None:
    other = World.build()
    theirs = Partner(other, partner.endpoint, partner.token, partner.receiver)
    theirs.happens()
    # A token that may only read gives no ear; nor does one of another partner.
    other.token(Scope.READ)
    other.token(Scope.WEBHOOKS)
    theirs.happens()
    assert Delivery.objects.count() == 0
    waiting = partner.happens()
    assert waiting
    revoke_token(token=PartnerToken.objects.get(partner=partner.endpoint.partner), caller=SYSTEM, now=NOW)
    partner.work()
    assert partner.receiver.asked == 0
    assert Delivery.objects.get(event=waiting).problem == "NO_TOKEN"
    partner.happens()
    assert Delivery.objects.count() == 1


def test_rotating_the_token_changes_nothing_of_the_webhook(partner: Partner) -> None:
    token = PartnerToken.objects.get(partner=partner.endpoint.partner)
    rotate_token(token=token, overlap=timedelta(0), caller=SYSTEM, now=NOW)
    partner.now += HOUR
    partner.happens()
    partner.work()
    assert everything_arrived(partner)


def test_a_removed_endpoint_gets_nothing_more(partner: Partner) -> None:
    partner.happens()
    remove(endpoint=partner.endpoint, caller=SYSTEM, now=NOW)
    partner.work()
    assert partner.receiver.asked == 0
    assert set(Task.objects.values_list("status", flat=True)) == {"DONE"}


def test_where_nobody_listens_it_is_kept_for_four_statements(
    world: World, django_assert_num_queries: Any, receiver: Receiver
) -> None:
    world.token(Scope.WEBHOOKS)
    partner = Partner(world, None, "", receiver)  # type: ignore[arg-type]
    with django_assert_num_queries(4 + 1 + 2):  # the count of events for the key, and the savepoint around
        event = partner.happens()
    assert event
    assert Delivery.objects.count() == 0
