"""What still has to happen, and what happens again and again."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from outbox.registry import Lane


class TaskStatus(StrEnum):
    """WAITING until a worker did it. For staff to see: GIVEN_UP after too many failures, STUCK when it ends its workers."""

    WAITING = "WAITING"
    DONE = "DONE"
    GIVEN_UP = "GIVEN_UP"
    STUCK = "STUCK"


class Task(models.Model):
    """One thing to do after the commit of the change that asked for it. The row is the truth, a broker only wakes.

    ``lane``: as its kind says. A row of an earlier version may stand in another one, until a worker takes it.
    ``fence`` counts claims: who holds an older number has lost the row and writes nothing more about it.
    ``outages``: tries in a row that found the other side down. They are no failures, and however many there are, it waits.
    ``failing_since``: when the first try in a row came to nothing, whatever the reason.
    ``crashes``: how often in a row a worker ended over it, by itself or by force.
    ``at_most_once``: what cannot be asked back, for example mail. Interrupted, it is given up instead of done again.
    """

    STATUS_CHOICES: ClassVar = [
        (TaskStatus.WAITING.value, _("waiting")),
        (TaskStatus.DONE.value, _("done")),
        (TaskStatus.GIVEN_UP.value, _("given up")),
        (TaskStatus.STUCK.value, _("stuck")),
    ]

    LANE_CHOICES: ClassVar = [
        (Lane.MONEY.value, _("money")),
        (Lane.MAIL.value, _("mail")),
        (Lane.WEBHOOKS.value, _("webhooks")),
        (Lane.SYNC.value, _("systems of record")),
        (Lane.LONG.value, _("long runs")),
    ]

    key = models.CharField(_("key"), max_length=100, unique=True)
    kind = models.CharField(_("kind"), max_length=50)
    lane = models.CharField(
        _("lane"), max_length=8, choices=LANE_CHOICES, default=Lane.MONEY.value, db_default=Lane.MONEY.value
    )
    payload = models.JSONField(_("what"), default=dict)
    status = models.CharField(_("status"), max_length=8, choices=STATUS_CHOICES, default=TaskStatus.WAITING.value)
    at_most_once = models.BooleanField(default=False, editable=False)
    run_at = models.DateTimeField(_("next attempt"))
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    outages = models.PositiveIntegerField(_("tries in an outage"), default=0, db_default=0)
    crashes = models.PositiveIntegerField(_("workers that it ended"), default=0, db_default=0)
    last_failure = models.CharField(_("last failure"), max_length=200, blank=True)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0, editable=False)
    leased_until = models.DateTimeField(_("leased until"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        permissions = [("requeue_task", _("Can do tasks again"))]
        indexes = [
            models.Index(fields=["lane", "run_at", "id"], condition=Q(status="WAITING"), name="task_due_in_lane"),
            models.Index(fields=["status", "finished_at"], name="task_by_status"),
            models.Index(fields=["run_at"], condition=Q(status="WAITING", outages__gt=0), name="task_in_outage"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def tries(self) -> int:
        """How many in a row came to nothing, whatever the reason."""
        return self.failures + self.outages + self.crashes


class PeriodicRun(models.Model):
    """When a piece of periodic work is next due. One row per piece, claimed by one worker at a time."""

    name = models.CharField(max_length=50, primary_key=True)
    next_at = models.DateTimeField()
