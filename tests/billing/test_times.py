"""When money was last moved, sent and confirmed is on its rows: what looks at a window of time finds them by it."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps

from billing.models import Agreement, Refund, RefundPart
from billing.providers.base import RefundOutcome, RefundResult
from billing.refunds.repricing import retry_refund
from billing.refunds.requests import settle_by_hand
from billing.refunds.results import record_provider_event
from subscriptions.cancellations.service import undo_cancellation
from tenants.people import SYSTEM
from tests.builders import NOW
from tests.providers import TestProvider, used
from tests.subscriptions.test_lifecycle import after, cancel, work
from tests.world import World

pytestmark = pytest.mark.django_db


def changed() -> timedelta:
    return Refund.objects.get().changed_at - NOW


def test_a_refund_says_when_it_last_moved(world: World) -> None:
    cancellation = cancel(world, world.subscription())
    assert changed() == timedelta(0)
    undo_cancellation(caller=world.caller(), cancellation_id=cancellation.pk, language="en", now=after(hours=1))
    assert changed() == timedelta(hours=1)


def test_a_part_says_when_it_was_sent_under_its_key(world: World) -> None:
    with used(TestProvider()) as provider:
        cancel(world, world.subscription())
        part = RefundPart.objects.get()
        assert part.sent_at is None
        provider.troubles = ["5xx", "", "decline"]
        work(after(hours=73))
        part.refresh_from_db()
        # Whatever comes of it: it may have arrived.
        assert part.sent_at == after(hours=73)
        work(after(hours=74))
        part.refresh_from_db()
        assert (part.status, part.sent_at, changed()) == ("FAILED", after(hours=73), timedelta(hours=74))
        assert retry_refund(refund=Refund.objects.get(), caller=SYSTEM, now=after(hours=80))
        assert changed() == timedelta(hours=80)
        work(after(hours=81))
        part.refresh_from_db()
        assert (part.status, part.sent_at, changed()) == ("SUCCEEDED", after(hours=81), timedelta(hours=81))


def test_a_part_that_is_heard_of_first_was_sent_by_then(world: World) -> None:
    cancel(world, world.subscription())
    Refund.objects.update(status="PENDING")
    result = RefundResult(RefundOutcome.SUCCEEDED, "T-1")
    assert record_provider_event(
        provider="ledger", key=str(RefundPart.objects.get().pk), result=result, now=after(hours=2)
    )
    assert RefundPart.objects.get().sent_at == after(hours=2)
    assert changed() == timedelta(hours=2)


def test_what_is_settled_by_hand_changed_then(world: World) -> None:
    cancel(world, world.subscription())
    assert settle_by_hand(refund=Refund.objects.get(), reason="cash", caller=SYSTEM, now=after(hours=3))
    assert changed() == timedelta(hours=3)


def test_an_agreement_says_when_its_provider_confirmed(world: World) -> None:
    with used(TestProvider()) as provider:
        provider.troubles = ["5xx"]
        subscription = world.subscription()
        Agreement.objects.update(provider="stripe", external_id="sub_one")
        cancel(world, subscription)
        work(after(minutes=1))
        assert Agreement.objects.get().confirmed_at is None
        work(after(minutes=2))
        assert Agreement.objects.get().confirmed_at == after(minutes=2)


def test_rows_of_before_get_the_times_that_they_tell(world: World) -> None:
    for _ in range(3):
        cancel(world, world.subscription())
    _held, sent, returned = Refund.objects.order_by("pk")
    RefundPart.objects.filter(refund__in=[sent, returned]).update(status="SENT")
    Refund.objects.filter(pk=returned.pk).update(returned_at=after(days=4))
    Refund.objects.update(changed_at=after(days=90))
    import_module("billing.migrations.0006_times_of_old_rows").fill(apps, None)
    assert list(Refund.objects.order_by("pk").values_list("changed_at", flat=True)) == [NOW, NOW, after(days=4)]
    sendings = RefundPart.objects.order_by("refund").values_list("sent_at", flat=True)
    assert list(sendings) == [None, sent.held_until, returned.held_until]
