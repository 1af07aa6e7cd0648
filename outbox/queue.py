"""Ask for a task in the transaction of the change, and have one done again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from outbox.models import Task, TaskStatus
from outbox.notifier import notify_workers
from outbox.registry import lane_of
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller


def enqueue(
    *, kind: str, key: str, payload: dict[str, Any], run_at: datetime, now: datetime, at_most_once: bool = False
) -> None:
    """Ask for a task in the caller's transaction; a key that is known already asks for nothing new.

    ``at_most_once``: rather not at all than twice. It is given up when a worker dies over it, and staff decide.
    """
    task = Task(
        kind=kind,
        lane=lane_of(kind),
        key=key,
        payload=payload,
        run_at=run_at,
        created_at=now,
        at_most_once=at_most_once,
    )
    Task.objects.bulk_create([task], ignore_conflicts=True)
    if settings.WAYOUT_BROKER_URL and run_at <= now:
        transaction.on_commit(notify_workers, robust=True)


def is_waiting(key: str) -> bool:
    """Whether it was asked for and is not done yet. One that was given up or is stuck waits for staff, and for no other."""
    return Task.objects.filter(key=key, status=TaskStatus.WAITING).exists()


def requeue(*, key: str, now: datetime, only_done: bool = False) -> bool:
    """Do a known task (again) now, also one that is done, was given up or is stuck; False when there is no such key.

    A worker that holds it loses it: what it started is started again, which handlers bear. ``only_done``: leave one
    alone that waits, was given up or is stuck.
    """
    found = Task.objects.filter(key=key, **({"status": TaskStatus.DONE} if only_done else {}))
    return bool(found.update(**_anew(now)))


def requeue_task(*, task: Task, caller: Caller, language: str, now: datetime) -> bool:
    """Requeue one for somebody who decided it, on the installation's audit trail: tasks are no tenant's."""
    with transaction.atomic():
        if not requeue(key=task.key, now=now):
            return False
        record(
            tenant_id=None,
            at=now,
            action=Action.TASK_REQUEUED,
            subject=f"Task:{task.pk}",
            caller=caller,
            language=language,
            data={"key": task.key, "was": task.status, "failures": task.failures},
            personal={"name": caller.name},
        )
        return True


def enqueue_anew(*, kind: str, payloads: Mapping[str, dict[str, Any]], now: datetime) -> None:
    """Do many tasks of one kind now, by key: those that are known again, the others for the first time."""
    Task.objects.filter(key__in=list(payloads)).update(**_anew(now))
    lane = lane_of(kind)
    new = [
        Task(kind=kind, lane=lane, key=key, payload=what, run_at=now, created_at=now) for key, what in payloads.items()
    ]
    Task.objects.bulk_create(new, ignore_conflicts=True)
    if settings.WAYOUT_BROKER_URL:
        transaction.on_commit(notify_workers, robust=True)


def _anew(now: datetime) -> dict[str, Any]:
    return {
        "status": TaskStatus.WAITING,
        "run_at": now,
        "failures": 0,
        "outages": 0,
        "crashes": 0,
        "failing_since": None,
        "leased_until": None,
        "finished_at": None,
        "fence": F("fence") + 1,
    }
