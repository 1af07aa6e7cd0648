"""Where facts come from, and the runs that bring them in."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.models import PartnerToken, Tenant


class FactSource(models.Model):
    """Who says what is true of a tenant: a partner, files, a connection. A row belongs to one of them.

    ``key`` stays the same for as long as it is the same source: a partner's token may be rotated.
    """

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="fact_sources", verbose_name=_("tenant"))
    key = models.CharField(max_length=40, editable=False)
    name = models.CharField(_("name"), max_length=100)

    class Meta:
        verbose_name = _("source of facts")
        verbose_name_plural = _("sources of facts")
        permissions = [("hand_over_source", _("Can give the rows of a source to another"))]
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="one_source_per_key")]

    def __str__(self) -> str:
        return self.name


class Watermark(models.Model):
    """Up to when a source has said everything there is of a section: an older list takes nobody away."""

    source = models.ForeignKey(FactSource, models.CASCADE, related_name="watermarks")
    section = models.CharField(max_length=13)
    complete_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "section"], name="one_watermark_per_section")]


class SyncState(StrEnum):
    """RECEIVED until it was read whole, then APPLYING piece by piece.

    DONE also where rows were reported and left out; FAILED where nothing of it could be taken. PAUSED: nothing moved for
    too long, so that what is on record counts again; REPLACED: a later document took its place then.
    """

    RECEIVED = "RECEIVED"
    APPLYING = "APPLYING"
    PAUSED = "PAUSED"
    DONE = "DONE"
    FAILED = "FAILED"
    REPLACED = "REPLACED"


UNDER_WAY = (SyncState.RECEIVED, SyncState.APPLYING)


class SyncRun(models.Model):
    """One document: what it says it is, how far it has come, and what became of it.

    ``cursor``: the last piece that was applied, in the transaction that applied it. ``report``: plain data, see
    directory/report.py. ``fence`` counts who works on it: of two, one stops.
    """

    STATE_CHOICES: ClassVar = [
        (SyncState.RECEIVED.value, _("received")),
        (SyncState.APPLYING.value, _("being applied")),
        (SyncState.PAUSED.value, _("paused")),
        (SyncState.DONE.value, _("done")),
        (SyncState.FAILED.value, _("failed")),
        (SyncState.REPLACED.value, _("replaced by a later one")),
    ]

    public_id = models.UUIDField(_("id"), default=uuid.uuid4, unique=True, editable=False)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="sync_runs", verbose_name=_("tenant"))
    source = models.ForeignKey(FactSource, models.PROTECT, related_name="runs", verbose_name=_("source"))
    token = models.ForeignKey(PartnerToken, models.SET_NULL, null=True, related_name="+", verbose_name=_("token"))
    state = models.CharField(_("state"), max_length=8, choices=STATE_CHOICES, default=SyncState.RECEIVED.value)
    dry_run = models.BooleanField(_("dry run"), default=False)
    is_ndjson = models.BooleanField(default=False, editable=False)
    as_of = models.DateTimeField(_("facts as of"), null=True)
    complete = models.JSONField(_("sections said to be complete"), default=list)
    rows = models.PositiveIntegerField(_("rows"), default=0)
    pieces = models.PositiveIntegerField(_("pieces"), default=0)
    cursor = models.PositiveIntegerField(_("pieces applied"), default=0)
    report = models.JSONField(_("report"), default=dict)
    fence = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("received"), default=timezone.now)
    progressed_at = models.DateTimeField(_("last progress"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        permissions = [("resume_sync", _("Can go on with a run that was paused"))]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(state__in=[s.value for s in UNDER_WAY]), name="one_sync_run_per_tenant"
            ),
            models.CheckConstraint(condition=Q(cursor__lte=F("pieces")), name="sync_run_is_within_its_pieces"),
        ]
        indexes = [models.Index(fields=["tenant", "-id"], name="sync_run_newest_first")]

    def __str__(self) -> str:
        return str(self.public_id)


class SyncPiece(models.Model):
    """A part of a document that waits for its run: as it came (``number`` below 0), or rows that were read and checked."""

    run = models.ForeignKey(SyncRun, models.CASCADE, related_name="stored", db_index=False)
    number = models.IntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="one_piece_per_number")]
