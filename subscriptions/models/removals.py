"""Removals of licenses that somebody else carries out: what was asked, and what became of each."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.choices import MAX_CODE, choices_of
from subscriptions.carriers.base import RefusalReason
from subscriptions.models.licenses import License
from subscriptions.models.plans import Subscription
from tenants.models import PartnerToken, Tenant

MAX_TEXT = 500


class RemovalStatus(StrEnum):
    """REQUESTED until whoever carries it out says what became of it; that is its last word."""

    REQUESTED = "REQUESTED"
    CONFIRMED = "CONFIRMED"
    REFUSED = "REFUSED"


class RemovalRequest(models.Model):
    """What one call of removeUsers asked for of somebody else: at least one removal."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="removal_requests", verbose_name=_("tenant"))
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="removal_requests", verbose_name=_("subscription")
    )
    requested_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("person")
    )
    requested_by_token = models.ForeignKey(
        PartnerToken, models.SET_NULL, null=True, related_name="+", verbose_name=_("partner token")
    )
    requested_at = models.DateTimeField(_("requested"))

    class Meta:
        verbose_name = _("removal request")
        verbose_name_plural = _("removal requests")

    def __str__(self) -> str:
        return f"{self.subscription} · {self.pk}"


class Removal(models.Model):
    """One license that is to be taken away.

    ``asked_at``: when a carrier last was about to ask the directory for it, after which it may have arrived; ``look_at``:
    when it is next looked for there.
    """

    STATUS_CHOICES: ClassVar = [
        (RemovalStatus.REQUESTED.value, _("requested")),
        (RemovalStatus.CONFIRMED.value, _("confirmed")),
        (RemovalStatus.REFUSED.value, _("refused")),
    ]

    request = models.ForeignKey(
        RemovalRequest, models.PROTECT, related_name="removals", verbose_name=_("removal request")
    )
    # Its own index would be the beginning of another one's.
    license = models.ForeignKey(
        License, models.PROTECT, related_name="removals", db_index=False, verbose_name=_("license")
    )
    status = models.CharField(_("status"), max_length=9, choices=STATUS_CHOICES, default=RemovalStatus.REQUESTED.value)
    requested_at = models.DateTimeField(_("requested"))
    asked_at = models.DateTimeField(_("directory last asked"), null=True, blank=True)
    look_at = models.DateTimeField(null=True, editable=False)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=MAX_CODE, blank=True, choices=partial(choices_of, RefusalReason))
    text = models.CharField(_("in the directory's own words"), max_length=MAX_TEXT, blank=True)

    class Meta:
        verbose_name = _("removal")
        verbose_name_plural = _("removals")
        constraints = [
            models.UniqueConstraint(
                fields=["license"], condition=Q(status="REQUESTED"), name="one_open_removal_per_license"
            ),
            models.CheckConstraint(
                condition=Q(status="REQUESTED", decided_at=None) | ~Q(status="REQUESTED") & Q(decided_at__isnull=False),
                name="removal_is_decided_when_it_is_said",
            ),
            models.CheckConstraint(
                condition=Q(status="REFUSED") & ~Q(reason="") | ~Q(status="REFUSED") & Q(reason=""),
                name="refused_removal_has_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["license", "-id"], name="removal_newest_of_license"),
            models.Index(fields=["requested_at"], condition=Q(status="REQUESTED"), name="removal_still_open"),
            models.Index(fields=["decided_at"], condition=Q(status="REFUSED"), name="removal_refused"),
        ]

    def __str__(self) -> str:
        return f"{self.license} · {self.get_status_display()}"
