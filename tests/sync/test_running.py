"""While facts of a tenant come in piece by piece nobody decides on half of them, and the way out stays in sight."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail

from outbox.worker import work_off
from subscriptions.directory import work
from subscriptions.errors import SyncRunning
from subscriptions.models import Cancellation, License, Subscription, SyncRun, SyncState
from tenants.models import AuditEvent
from tenants.people import SYSTEM
from tests.builders import NOW
from tests.graphql.documents import CANCEL, OPTIONS, REMOVE, UNDO
from tests.subscriptions.test_lifecycle import after, cancel
from tests.sync.documents import body, open_run, send
from tests.sync.test_documents import CHARGE, S1, licenses, users
from tests.world import Api, World

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World.build(external_id="acme")
    send(world.tenant, {"subscriptions": [S1], "charges": [CHARGE], "users": users(6), "licenses": licenses(6)})
    monkeypatch.setattr("subscriptions.directory.staging.PIECE", 5)
    return world


def half_applied(world: World, **given: Any) -> SyncRun:
    """A run of which one piece is applied."""
    document = {"asOf": NOW.isoformat(), "users": users(12), "licenses": licenses(12), **given}
    run = open_run(world.tenant, in_lines=True, now=NOW)
    with time_machine.travel(NOW, tick=False):
        work.receive(run, [body(document, in_lines=True)], NOW)
        taken = work.take_run(run.pk)
        assert taken
        work.stage(taken, NOW)
        assert work.apply_next(taken, caller=SYSTEM)
    return taken


def quoted(api: Api, subscription: Subscription) -> tuple[Any, Any]:
    with time_machine.travel(NOW, tick=False):
        answer = api.raw(OPTIONS, id=f"sub_{subscription.pk}")
    return answer["data"]["cancellationOptions"], answer.get("errors")


def test_nothing_is_decided_meanwhile_and_all_of_it_after(world: World) -> None:
    subscription = Subscription.objects.get(tenant=world.tenant)
    api = Api(world.admin)
    options, errors = quoted(api, subscription)
    quote = options["options"][0]["quotes"][0]["id"]
    run = half_applied(world)
    options, errors = quoted(api, subscription)
    online = options["options"][0]
    assert (online["route"], online["available"], online["quotes"]) == ("CANCEL_ONLINE", True, None)
    assert errors[0]["extensions"]["code"] == "SYNC_RUNNING"
    given = {"subscriptionId": f"sub_{subscription.pk}", "quoteId": quote, "idempotencyKey": "k"}
    user = License.objects.filter(subscription=subscription).values_list("user", flat=True)[0]
    with time_machine.travel(NOW, tick=False):
        for document, name, wanted in (
            (CANCEL, "cancelSubscription", given),
            (REMOVE, "removeUsers", {"subscriptionId": given["subscriptionId"], "userIds": [f"usr_{user}"]}),
        ):
            response = api.post(document, input=wanted)
            answer = response.json()["data"][name]
            assert (answer["__typename"], answer["code"]) == ("InputProblem", "SYNC_RUNNING")
            assert int(response["Retry-After"]) > 0
    assert not Cancellation.objects.exists()
    # Of another tenant everything goes on.
    other = World.build()
    assert quoted(Api(other.admin), other.subscription())[1] is None
    with time_machine.travel(NOW, tick=False):
        while work.apply_next(run, caller=SYSTEM):
            pass
    quote = quoted(api, subscription)[0]["options"][0]["quotes"][0]["id"]
    with time_machine.travel(NOW, tick=False):
        done = api(CANCEL, input={**given, "quoteId": quote, "idempotencyKey": "l"})["cancelSubscription"]
    assert done["__typename"] == "CancelSubscriptionSuccess"


def test_what_was_canceled_before_can_be_undone_meanwhile(world: World) -> None:
    kept = cancel(world, Subscription.objects.get(tenant=world.tenant))
    half_applied(world)
    with time_machine.travel(NOW, tick=False):
        undone = Api(world.admin)(UNDO, input={"cancellationId": f"can_{kept.pk}"})
    assert undone["undoCancellation"]["__typename"] == "UndoCancellationSuccess"


def test_a_run_that_does_not_move_is_paused_told_of_and_gone_on_with(world: World, settings: Any) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    run = half_applied(world, complete=["licenses"])
    assert work.pause_stuck_runs(after(minutes=10)) == 0
    assert work.pause_stuck_runs(after(minutes=10, seconds=1)) == 1
    work_off(lambda: after(minutes=11))
    assert [message.subject for message in mail.outbox if "stopped coming in" in message.subject]
    subscription = Subscription.objects.get(tenant=world.tenant)
    assert quoted(Api(world.admin), subscription)[1] is None
    # A worker that had it stops.
    assert not work.apply_next(run, caller=SYSTEM)
    assert SyncRun.objects.get(pk=run.pk).state == SyncState.PAUSED
    given = {"caller": SYSTEM, "language": "en", "now": after(minutes=12)}
    assert work.resume_run(run=SyncRun.objects.get(pk=run.pk), **given)
    assert not work.resume_run(run=SyncRun.objects.get(pk=run.pk), **given)
    assert AuditEvent.objects.filter(action="sync.resumed").count() == 1
    with time_machine.travel(NOW + timedelta(minutes=13), tick=False):
        work.work_on(run.pk, caller_of=lambda _run: SYSTEM, until=NOW + timedelta(days=1))
    assert SyncRun.objects.get(pk=run.pk).state == SyncState.DONE
    assert License.objects.held().filter(subscription=subscription).count() == 12


def test_a_later_document_takes_the_place_of_a_paused_run(world: World) -> None:
    run = half_applied(world)
    with pytest.raises(SyncRunning):
        open_run(world.tenant, in_lines=False, now=NOW)
    work.pause_stuck_runs(after(minutes=11))
    send(world.tenant, {"users": users(3)}, now=after(minutes=12))
    assert SyncRun.objects.get(pk=run.pk).state == SyncState.REPLACED
    assert not work.resume_run(run=SyncRun.objects.get(pk=run.pk), caller=SYSTEM, language="en", now=NOW)
