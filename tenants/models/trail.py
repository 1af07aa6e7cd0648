"""The audit trail: one chain for each tenant, one for the installation."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class _Head(models.Model):
    """``anchored``: up to which event its hash was noted outside of the database, see anchors.py.

    ``older_until``: up to which event the first format counts, with that end signed by a key (verification.py).
    """

    position = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="")
    anchored = models.PositiveBigIntegerField(default=0, db_default=0)
    older_until = models.PositiveBigIntegerField(default=0, db_default=0)
    older_signature = models.CharField(max_length=73, default="", db_default="")

    class Meta:
        abstract = True
        constraints: ClassVar = [
            # What is not there yet cannot have been noted; else nobody would note it when it is.
            models.CheckConstraint(condition=models.Q(anchored__lte=models.F("position")), name="%(class)s_not_ahead")
        ]


class AuditHead(_Head):
    """The end of a tenant's chain. Locking it puts the writers of one tenant in a row. Moves forward only, by trigger."""

    tenant = models.OneToOneField("tenants.Tenant", models.PROTECT, primary_key=True, related_name="audit_head")


class InstallationAuditHead(_Head):
    """The same of the chain for what is no tenant's. One row."""

    class Meta:
        constraints = [
            *_Head._meta.constraints,
            models.CheckConstraint(condition=models.Q(id=1), name="one_installation_audit_head"),
        ]


class AuditEvent(models.Model):
    """One thing that was decided or done. Append-only by trigger, chained by hash within its tenant.

    Without a tenant: of the whole installation, such as who of the staff may do what. That is a chain of its own.

    Holds no personal data: that sits in AuditPersonalData, which can be erased; the chain covers a keyed hash.
    ``format`` says what the hash covers (hashing.py), ``key_id`` whose key it was made with.
    """

    tenant = models.ForeignKey(
        "tenants.Tenant", models.PROTECT, null=True, blank=True, related_name="audit_events", verbose_name=_("tenant")
    )
    position = models.PositiveBigIntegerField(_("position"))
    at = models.DateTimeField(_("when"))
    action = models.CharField(_("action"), max_length=64)
    subject = models.CharField(_("subject"), max_length=64)
    actor_kind = models.CharField(_("kind of actor"), max_length=8)
    actor_id = models.BigIntegerField(_("actor"))
    language = models.CharField(_("language"), max_length=8)
    correlation_id = models.CharField(_("request"), max_length=32, blank=True)
    data = models.JSONField(_("evidence"), default=dict)
    personal_digest = models.CharField(max_length=64, blank=True)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(_("hash"), max_length=64)
    format = models.PositiveSmallIntegerField(default=1, db_default=1)
    key_id = models.CharField(max_length=8, default="", db_default="")

    class Meta:
        verbose_name = _("audit event")
        verbose_name_plural = _("audit events")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "position"], name="one_audit_event_per_position"),
            models.UniqueConstraint(
                fields=["position"], condition=models.Q(tenant=None), name="one_installation_event_per_position"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "subject"], name="audit_by_subject")]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


class AuditPersonalData(models.Model):
    """Names, addresses, numbers and notes of an audit event: what may have to be erased, and is never edited, by trigger."""

    event = models.OneToOneField(AuditEvent, models.PROTECT, primary_key=True, related_name="personal")
    data = models.JSONField(default=dict)
