"""The outbox: what is not tried any more, and what nobody comes to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q

from outbox.models import Task, TaskStatus
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from subscriptions.reconciliation.looking import Scope, stands_open

# Work that is due a little is not yet late.
GRACE = timedelta(minutes=10)


@stands_open
def given_up(_scope: Scope) -> Iterator[Finding]:
    yield from _left(TaskStatus.GIVEN_UP, FindingKind.TASK_GIVEN_UP)


@stands_open
def stuck(_scope: Scope) -> Iterator[Finding]:
    yield from _left(TaskStatus.STUCK, FindingKind.TASK_STUCK)


@stands_open
def late_tasks(scope: Scope) -> Iterator[Finding]:
    """Not those that a worker has right now: this may be one of them."""
    free = Q(leased_until=None) | Q(leased_until__lte=scope.now)
    due = Task.objects.filter(free, status=TaskStatus.WAITING, run_at__lt=scope.now - GRACE, failures=0)
    for task in due.order_by("run_at", "pk").iterator():
        yield _finding(FindingKind.TASK_LATE, task, due=_said(task.run_at))


def _left(status: TaskStatus, kind: FindingKind) -> Iterator[Finding]:
    for task in Task.objects.filter(status=status).order_by("pk").iterator():
        yield _finding(kind, task, failure=task.last_failure)


def _finding(kind: FindingKind, task: Task, **values: str) -> Finding:
    return Finding(kind, str(task.pk), values, name=task.key)


def _said(instant: datetime) -> str:
    return instant.isoformat(timespec="seconds")
