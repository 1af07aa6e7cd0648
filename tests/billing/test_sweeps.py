"""Periodic work of billing: a refund that fails stops no other, and staff hear of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import OperationalError

from billing.models import Refund
from billing.refunds import sending, successors
from outbox.models import Task
from outbox.worker import work_off
from tests.builders import NOW
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=80)
Sweep = Callable[[datetime], int]
# What each does with one row.
SWEEPS: dict[str, tuple[Sweep, Any, str]] = {
    "send_stranded_refunds": (sending.send_stranded, sending, "_send_again"),
    "convert_unpaid_refunds": (successors.convert_unpaid, successors, "convert"),
}


@pytest.fixture
def refunds(world: World, settings: Any) -> list[Refund]:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    for of in (world, World.build(), World.build()):
        cancel(of, of.subscription())
    Task.objects.all().delete()
    Refund.objects.update(currency="HRK")
    return list(Refund.objects.order_by("pk"))


@pytest.mark.parametrize("work", SWEEPS)
def test_one_that_fails_stops_no_other(refunds: list[Refund], monkeypatch: pytest.MonkeyPatch, work: str) -> None:
    sweep, module, name = SWEEPS[work]
    asked: list[int] = []

    def act(refund: Refund, now: datetime) -> bool:
        if refund == refunds[1]:
            raise ValueError("an amount that no currency has")
        asked.append(refund.pk)
        return True

    monkeypatch.setattr(module, name, act)
    assert sweep(LATER) == sweep(LATER) == 2
    assert asked == [refunds[0].pk, refunds[2].pk] * 2
    work_off(lambda: LATER)
    assert [m.subject for m in mail.outbox if work in m.subject] == [
        f"{work}: refund {refunds[1].pk} failed with ValueError, everything else went on."
    ]


@pytest.mark.parametrize("work", SWEEPS)
def test_a_database_that_is_gone_is_no_rows_fault(
    refunds: list[Refund], monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    sweep, module, name = SWEEPS[work]

    def act(refund: Refund, now: datetime) -> bool:
        raise OperationalError("gone")

    monkeypatch.setattr(module, name, act)
    with pytest.raises(OperationalError):
        sweep(LATER)
    assert not Task.objects.filter(kind="mail.staff").exists()
