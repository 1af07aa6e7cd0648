"""Tasks that somebody should look at: those in an outage, given up, or stuck. Their number is found without the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise
from django.utils.timezone import get_current_timezone

from common.codes import N_, CodeTable
from common.formatting import format_datetime
from common.messages import say
from outbox.models import Task, TaskStatus


class Attention(CodeTable):
    """Why a task does not get on.

    ``sign``: what the start page counts. ``waits_for``: who has to do something. ``sentence`` says one task to people.
    """

    label: str
    sign: str
    waits_for: str
    which: Q
    sentence: str

    OUTAGE = (
        "OUTAGE",
        N_("waiting for somebody who is down"),
        N_("Tasks that wait for somebody who is down"),
        N_("somebody who is down"),
        Q(status=TaskStatus.WAITING, outages__gt=0),
        N_(
            "%(what)s waits since %(since)s: %(failure)s. Tried in vain: %(tries)s, next at %(next)s. It is not given up."
        ),
    )
    GIVEN_UP = (
        "GIVEN_UP",
        N_("given up"),
        N_("Tasks that were given up"),
        N_("you: mend it, do it again"),
        Q(status=TaskStatus.GIVEN_UP),
        N_("%(what)s was given up, after failing since %(since)s: %(failure)s. Mend that, then do the task again."),
    )
    STUCK = (
        "STUCK",
        N_("stuck"),
        N_("Tasks that end their worker"),
        N_("you: mend it, do it again"),
        Q(status=TaskStatus.STUCK),
        N_(
            "%(what)s ended its worker each time, since %(since)s, and is left alone now. The workers' log says why: mend"
            " that, then do the task again."
        ),
    )


@dataclass(frozen=True, slots=True)
class TaskLine:
    """What a page says of one task that does not get on."""

    task: int
    sentence: str


def needing_attention(*kinds: Attention) -> QuerySet[Task]:
    """The tasks of these kinds, of all where none is said."""
    found = Q()
    for kind in kinds or Attention:
        found |= kind.which
    return Task.objects.filter(found)


def counts() -> dict[Attention, int]:
    """How many of each. One query."""
    rows = needing_attention().aggregate(**{kind.value: Count("pk", filter=kind.which) for kind in Attention})
    return {kind: rows[kind.value] for kind in Attention}


def attention_of(task: Task) -> Attention | None:
    """Why it does not get on; None for one that does."""
    if task.status == TaskStatus.WAITING:
        return Attention.OUTAGE if task.outages else None
    return Attention(task.status) if task.status in (TaskStatus.GIVEN_UP, TaskStatus.STUCK) else None


def task_lines(names: Mapping[str, str | Promise]) -> Iterator[TaskLine]:
    """What is to be said of those of these tasks, by key, that do not get on, each with what it does. One query."""
    zone = get_current_timezone()
    for task in needing_attention().filter(key__in=list(names)).order_by("pk"):
        kind, since = attention_of(task), task.failing_since or task.finished_at or task.run_at
        assert kind  # it was asked for
        values = {
            "what": names[task.key],
            "since": format_datetime(since, zone),
            "failure": task.last_failure,
            "tries": task.tries,
            "next": format_datetime(task.run_at, zone),
        }
        yield TaskLine(task.pk, say(kind.sentence, values))
