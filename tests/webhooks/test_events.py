"""What happens to a subscription is told: each kind once, in order, without people; nothing where nothing happened."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from desk.codes import CloseReason
from desk.models import CallbackRequest
from desk.services.claims import claim_callback
from desk.services.outcomes import close_callback
from outbox import registry
from outbox.models import Task
from outbox.queue import requeue
from outbox.worker import work_off
from subscriptions.models import Cancellation, License, Subscription
from tenants.callers import Scope
from tenants.models import PartnerToken, Tenant, User
from tenants.people import SYSTEM, caller_of_staff
from tests.builders import NOW
from tests.graphql.documents import CANCEL, OPTIONS, REMOVE, REQUEST, UNDO, WITHDRAW
from tests.providers import TestProvider, used
from tests.world import Api, World
from webhooks.endpoints import register
from webhooks.models import Delivery, Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(world: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A partner listens; nothing is sent, what would be is in the rows."""
    monkeypatch.setitem(registry._handlers, "webhook.deliver", lambda _payload, _now: None)
    world.token(Scope.WEBHOOKS)
    partner = PartnerToken.objects.latest("pk").partner
    register(
        partner=partner, url="https://partner.example/hook", events=[], contact_email="", language="en",
        caller=SYSTEM, now=NOW,
    )  # fmt: skip
    with time_machine.travel(NOW, tick=False) as traveler:
        yield traveler


def events(subscription: Any = None) -> list[str]:
    rows = Event.objects.filter(subject=f"sub_{subscription.pk}") if subscription else Event.objects.all()
    assert Delivery.objects.count() == Event.objects.count()
    return list(rows.order_by("version").values_list("type", flat=True))


def cancel(api: Api, subscription: Any, mode: str, key: str = "k") -> str:
    options = api(OPTIONS, id=f"sub_{subscription.pk}")["cancellationOptions"]["options"]
    quotes = {quote["mode"]: quote["id"] for option in options for quote in option["quotes"] or ()}
    wish = {"subscriptionId": f"sub_{subscription.pk}", "quoteId": quotes[mode], "idempotencyKey": key}
    done = api(CANCEL, input=wish)["cancelSubscription"]
    found: str = done["cancellation"]["id"]
    return found


def work(at: datetime) -> None:
    work_off(lambda: at)


def test_canceling_now_tells_that_it_was_asked_for_took_effect_and_was_paid(world: World, told: Any) -> None:
    subscription = world.subscription(3)
    cancel(Api(world.admin), subscription, "IMMEDIATE")
    assert events(subscription) == ["cancellation.requested"]
    work(NOW)
    assert events(subscription) == ["cancellation.requested", "cancellation.effective"]
    cancellation = Cancellation.objects.get()
    work(cancellation.undo_until + timedelta(minutes=6))
    work(cancellation.undo_until + timedelta(minutes=7))
    assert events(subscription) == ["cancellation.requested", "cancellation.effective", "refund.settled"]
    requested = Event.objects.get(type="cancellation.requested").data
    assert requested["subscription"] == {"id": f"sub_{subscription.pk}"}
    assert requested["tenant"] == {"id": f"ten_{world.tenant.pk}"}
    assert requested["cancellation"]["reference"] == cancellation.reference
    [refund] = requested["cancellation"]["refunds"]
    paid = Event.objects.get(type="refund.settled").data
    assert paid["refund"]["id"] == refund["id"]
    assert paid["refund"]["amount"] == refund["amount"]
    assert (refund["status"], paid["refund"]["status"]) == ("HELD", "SUCCEEDED")
    assert paid["cancellation"] == {key: requested["cancellation"][key] for key in ("id", "reference")}


def test_canceling_at_the_end_takes_effect_on_the_day_unless_it_was_undone(world: World, told: Any) -> None:
    stays, leaves = world.subscription(1), world.subscription(1)
    api = Api(world.admin)
    undone = cancel(api, stays, "AT_PERIOD_END", "a")
    cancel(api, leaves, "AT_PERIOD_END", "b")
    api(UNDO, input={"cancellationId": undone})
    api(UNDO, input={"cancellationId": undone})
    work(NOW + timedelta(days=2))
    assert events(stays) == ["cancellation.requested", "cancellation.undone"]
    assert events(leaves) == ["cancellation.requested"]
    for _ in range(2):
        work(NOW + timedelta(days=6))
    assert events(stays) == ["cancellation.requested", "cancellation.undone"]
    assert events(leaves) == ["cancellation.requested", "cancellation.effective"]
    assert Event.objects.get(type="cancellation.undone").data["cancellation"]["undoneAt"]


def test_a_scheduled_one_that_is_hastened_takes_effect_once(world: World, told: Any) -> None:
    subscription, api = world.subscription(1), Api(world.admin)
    cancel(api, subscription, "AT_PERIOD_END", "a")
    told.shift(60)
    cancel(api, subscription, "IMMEDIATE", "b")
    work(NOW + timedelta(minutes=2))
    work(NOW + timedelta(days=10))
    assert [t for t in events(subscription) if t.startswith("cancellation")] == [
        "cancellation.requested", "cancellation.requested", "cancellation.effective",
    ]  # fmt: skip


def test_a_task_that_runs_twice_tells_once(world: World, told: Any) -> None:
    from subscriptions.events import EFFECTIVE

    subscription = world.subscription(1)
    cancel(Api(world.admin), subscription, "IMMEDIATE")
    work(NOW)
    [task] = Task.objects.filter(kind=EFFECTIVE)
    requeue(key=task.key, now=NOW)
    work(NOW)
    assert events(subscription) == ["cancellation.requested", "cancellation.effective"]


def test_a_refund_that_fails_and_is_paid_later(world: World, told: Any) -> None:
    provider = TestProvider()
    with used(provider):
        subscription = world.subscription(1)
        cancel(Api(world.admin), subscription, "IMMEDIATE")
        provider.troubles = ["decline"]
        at = Cancellation.objects.get().undo_until + timedelta(minutes=6)
        work(at)
        work(at)
    failed = Event.objects.get(type="refund.failed")
    assert failed.data["refund"]["status"] == "FAILED"
    assert "declined" not in json.dumps(failed.data)


def test_removing_users_tells_how_many_and_a_rehearsal_tells_nothing(world: World, told: Any) -> None:
    subscription, api = world.subscription(5), Api(world.admin)
    users = [f"usr_{pk}" for pk in License.objects.filter(subscription=subscription).values_list("user", flat=True)[:3]]
    wish = {"subscriptionId": f"sub_{subscription.pk}", "userIds": users}
    api(REMOVE, input={**wish, "dryRun": True})
    assert events() == []
    api(REMOVE, input=wish)
    api(REMOVE, input=wish)
    assert events() == ["users.removed"]
    assert Event.objects.get().data["removedUsers"] == 3


def test_a_call_is_told_when_it_is_asked_for_and_when_it_is_over(world: World, agent: User, told: Any) -> None:
    api = Api(world.admin)
    withdrawn, called = world.subscription(30), world.subscription(30)

    def ask(subscription: Any) -> str:
        wish = {"subscriptionId": f"sub_{subscription.pk}", "phone": "0888123456", "contactName": "Ада Иванова"}
        found: str = api(REQUEST, input=wish)["requestCallback"]["callbackRequest"]["id"]
        return found

    for _ in range(2):
        api(
            WITHDRAW,
            input={"callbackId": ask(withdrawn) if not events() else f"cal_{CallbackRequest.objects.get().pk}"},
        )
    assert events(withdrawn) == ["callback.requested", "callback.closed"]
    ask(called)
    pk = CallbackRequest.objects.latest("pk").pk
    acting = {"agent": agent, "caller": caller_of_staff(agent), "callback_id": pk, "language": "en"}
    assert claim_callback(**acting, now=NOW)
    assert close_callback(**acting, disposition=CloseReason.CUSTOMER_KEEPS, now=NOW + timedelta(minutes=5))
    assert events(called) == ["callback.requested", "callback.closed"]
    closed = Event.objects.filter(type="callback.closed").latest("pk").data["callbackRequest"]
    assert (closed["status"], closed["closeReason"]) == ("DONE", "CUSTOMER_KEEPS")
    everything = json.dumps(list(Event.objects.values_list("data", flat=True)), ensure_ascii=False)
    assert not any(personal in everything for personal in ("888123456", "Ада", world.admin.last_name))


def test_the_hosts_ids_stand_beside_ours_where_there_are_such(world: World, told: Any, agent: User) -> None:
    subscription = world.subscription(30)
    api = Api(world.admin)
    wish = {"subscriptionId": f"sub_{subscription.pk}", "phone": "0888123456", "contactName": "Ada"}
    callback = api(REQUEST, input=wish)["requestCallback"]["callbackRequest"]["id"]
    Tenant.objects.update(external_id="t1")
    Subscription.objects.update(external_id="s1")
    api(WITHDRAW, input={"callbackId": callback})
    before, after = Event.objects.order_by("version").values_list("data", flat=True)
    ids = {"tenant": {"id": f"ten_{world.tenant.pk}"}, "subscription": {"id": f"sub_{subscription.pk}"}}
    assert before == before | ids
    ids["tenant"]["externalId"], ids["subscription"]["externalId"] = "t1", "s1"
    assert after == after | ids


def test_what_is_rolled_back_is_not_told(world: World, told: Any) -> None:
    subscription = world.subscription(1)
    api = Api(world.admin)
    wish = {"subscriptionId": f"sub_{subscription.pk}", "quoteId": "made up", "idempotencyKey": "k"}
    assert api(CANCEL, input=wish)["cancelSubscription"]["code"] == "QUOTE_INVALID"
    assert events() == []
