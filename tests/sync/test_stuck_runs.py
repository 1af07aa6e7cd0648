"""Runs of which nothing moves are paused, staff are told, and one that fails stops no other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from outbox.worker import work_off
from subscriptions.directory import work
from subscriptions.models import SyncRun, SyncState
from tests.builders import NOW
from tests.sync.documents import open_run
from tests.world import World

pytestmark = pytest.mark.django_db
LATER = NOW + work.PAUSED_AFTER


def states() -> list[str]:
    return list(SyncRun.objects.order_by("pk").values_list("state", flat=True))


def test_a_run_is_paused_once_nothing_moved_for_ten_minutes(world: World, settings: Any) -> None:
    settings.WAYOUT_STAFF_EMAIL = ["desk@wayout.example"]
    open_run(world.tenant, in_lines=True, now=NOW)
    assert work.pause_stuck_runs(LATER) == 0
    assert work.pause_stuck_runs(LATER + timedelta(seconds=1)) == 1
    assert work.pause_stuck_runs(LATER + timedelta(seconds=2)) == 0
    assert states() == [SyncState.PAUSED]
    work_off(lambda: LATER + timedelta(minutes=1))
    assert [m.subject for m in mail.outbox if world.tenant.name in m.subject]


def test_one_that_cannot_be_told_stops_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for of in (world, World.build(), World.build()):
        open_run(of.tenant, in_lines=True, now=NOW)
    wild = SyncRun.objects.order_by("pk")[1]
    true = work.queue_staff_mail

    def queue_mail(*, values: Any, **given: Any) -> None:
        if values["tenant"] == wild.tenant:
            raise ValueError("a name that no mail can hold")
        true(values=values, **given)

    monkeypatch.setattr(work, "queue_staff_mail", queue_mail)
    assert work.pause_stuck_runs(LATER + timedelta(seconds=1)) == 2
    assert states() == [SyncState.PAUSED, SyncState.RECEIVED, SyncState.PAUSED]
