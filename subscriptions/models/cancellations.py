"""Cancellations, with the evidence of what was shown and decided, and the keys that make retries harmless."""

from __future__ import annotations

from enum import StrEnum
from functools import partial

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models import Refund
from billing.proration import NoRefundReason
from common.choices import MAX_CODE, choices_of
from common.codes import N_, CodeTable
from common.languages import MAX_LANGUAGE
from subscriptions.models.plans import Subscription
from subscriptions.models.policies import CancellationPolicy
from tenants.models import PartnerToken, Tenant, VouchedPerson


class CancellationStatus(StrEnum):
    """SCHEDULED until it takes effect, EFFECTIVE after, UNDONE when it was reversed in time."""

    SCHEDULED = "SCHEDULED"
    EFFECTIVE = "EFFECTIVE"
    UNDONE = "UNDONE"


class Feedback(CodeTable):
    label: str

    TOO_EXPENSIVE = "TOO_EXPENSIVE", N_("too expensive")
    MISSING_FEATURES = "MISSING_FEATURES", N_("missing features")
    SWITCHED_SERVICE = "SWITCHED_SERVICE", N_("switched to another service")
    UNUSED = "UNUSED", N_("not used")
    CUSTOMER_SERVICE = "CUSTOMER_SERVICE", N_("customer service")
    TOO_COMPLEX = "TOO_COMPLEX", N_("too complex")
    LOW_QUALITY = "LOW_QUALITY", N_("low quality")
    OTHER = "OTHER", N_("other")


class Cancellation(models.Model):
    """One decision to leave. At most one per subscription is in force; an undone one stays as a record."""

    reference = models.CharField(_("reference"), max_length=16, unique=True)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="cancellations", verbose_name=_("tenant"))
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="cancellations", verbose_name=_("subscription")
    )
    mode = models.CharField(_("mode"), max_length=13, choices=Subscription.MODE_CHOICES)
    undone_at = models.DateTimeField(_("undone"), null=True, blank=True)
    requested_at = models.DateTimeField(_("requested"))
    requested_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("person")
    )
    requested_by_token = models.ForeignKey(
        PartnerToken, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("partner token")
    )
    requested_by_vouched = models.ForeignKey(
        VouchedPerson, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("vouched person")
    )
    by_staff = models.BooleanField(_("by staff"), default=False)
    staff_reason = models.CharField(_("why staff did it"), max_length=500, blank=True)
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("for whom")
    )
    customer_language = models.CharField(max_length=MAX_LANGUAGE, blank=True, editable=False)
    effective_at = models.DateTimeField(_("effective"))
    undo_until = models.DateTimeField(_("undo until"))
    access_ends_at = models.DateTimeField(_("access ends"))
    data_available_until = models.DateTimeField(_("data available until"))
    data_erased_by = models.DateTimeField(_("data erased by"))
    priced_at = models.DateTimeField(_("priced"))
    no_refund_reason = models.CharField(
        _("why no refund"), max_length=MAX_CODE, choices=partial(choices_of, NoRefundReason), blank=True
    )
    refunds = models.ManyToManyField(Refund, related_name="cancellations", blank=True, verbose_name=_("refunds"))
    policy = models.ForeignKey(CancellationPolicy, models.PROTECT, related_name="+", verbose_name=_("policy"))
    quote = models.JSONField(_("quote as shown"))
    facts = models.JSONField(_("facts"))
    licenses_30_days_before = models.PositiveIntegerField(_("licenses 30 days before"))
    language = models.CharField(_("language"), max_length=MAX_LANGUAGE)
    feedback = models.CharField(_("feedback"), max_length=MAX_CODE, choices=partial(choices_of, Feedback), blank=True)
    comment = models.TextField(_("comment"), blank=True)

    class Meta:
        verbose_name = _("cancellation")
        verbose_name_plural = _("cancellations")
        constraints = [
            models.UniqueConstraint(
                fields=["subscription"], condition=Q(undone_at=None), name="one_cancellation_in_force_per_subscription"
            )
        ]
        indexes = [
            models.Index(fields=["requested_at"], name="cancellation_by_request"),
            models.Index(fields=["undone_at"], condition=Q(undone_at__isnull=False), name="cancellation_by_undo"),
        ]

    def __str__(self) -> str:
        return self.reference


class IdempotencyRecord(models.Model):
    """A key that was used for a success, and what it answered. Kept 30 days."""

    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="+")
    operation = models.CharField(max_length=32)
    key = models.CharField(max_length=255)
    input_digest = models.CharField(max_length=64)
    answer = models.JSONField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "operation", "key"], name="one_answer_per_idempotency_key")
        ]
