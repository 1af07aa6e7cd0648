"""Runs of reconciliation: how far each has come, and what it found."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# So many findings of a run are kept; all are counted.
MAX_FINDINGS = 1_000


class ReconciliationQuerySet(models.QuerySet["Reconciliation"]):
    """Filters that say what a run tells of now."""

    def telling_of_now(self) -> ReconciliationQuerySet:
        """Those that are done and looked up to when they began, the last one first."""
        return self.filter(finished_at__isnull=False, until=F("started_at")).order_by("-pk")


class Reconciliation(models.Model):
    """One run over what moved between ``since`` and ``until``, and what stands open.

    ``cursor``: the checks that are done, and the position of each that is not. ``findings``: the first of them as plain
    data; ``counts``: how many of each kind. ``fence`` counts what was written: of two that go on with one run, one stops.
    ``new``: how many the run before had not. ``scheduled``: by the worker, every day, and not by the command.
    """

    since = models.DateTimeField(_("from"))
    until = models.DateTimeField(_("up to"))
    scheduled = models.BooleanField(_("by the worker"), default=False)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    cursor = models.JSONField(default=dict, editable=False)
    counts = models.JSONField(_("findings by kind"), default=dict, editable=False)
    findings = models.JSONField(_("findings"), default=list, editable=False)
    new = models.PositiveIntegerField(_("of that new"), default=0)
    calls = models.PositiveIntegerField(_("calls to providers"), default=0)
    fence = models.PositiveIntegerField(default=0, editable=False)

    objects = ReconciliationQuerySet.as_manager()

    class Meta:
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")
        permissions = [("start_reconciliation", _("Can start a reconciliation"))]
        constraints = [models.CheckConstraint(condition=Q(since__lte=F("until")), name="reconciliation_is_forward")]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.started_at):%Y-%m-%d %H:%M}"

    @property
    def count(self) -> int:
        """How many findings of all kinds."""
        counts: dict[str, Any] = self.counts
        return sum(counts.values())
