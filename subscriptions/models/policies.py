"""The cancellation policy: versioned data. A version is never edited; a new one takes its place."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.proration import Convention
from subscriptions.policy.facts import PolicyTerms
from tenants.models import Tenant


class CancellationPolicy(models.Model):
    """One version of the default policy (no tenant) or of a tenant's own."""

    CONVENTION_CHOICES: ClassVar = [
        (Convention.ELAPSED_24H.value, _("whole 24-hour days since the start")),
        (Convention.CALENDAR_DAY.value, _("calendar days, the cancel day unused")),
        (Convention.CALENDAR_DAY_INCLUSIVE.value, _("calendar days, the cancel day used")),
        (Convention.SECOND.value, _("seconds")),
    ]

    tenant = models.ForeignKey(
        Tenant, models.PROTECT, null=True, blank=True, related_name="policies", verbose_name=_("tenant")
    )
    name = models.CharField(_("name"), max_length=100)
    version = models.PositiveIntegerField(_("version"), editable=False)
    in_force = models.BooleanField(_("in force"), default=True, editable=False)
    online_license_limit = models.PositiveIntegerField(
        _("online license limit"),
        default=25,
        validators=[MaxValueValidator(1_000_000)],
        help_text=_("Fewer assigned licenses than this cancel online (or as many, if the limit is inclusive)."),
    )
    limit_is_inclusive = models.BooleanField(_("limit is inclusive"), default=False)
    count_requested_removals = models.BooleanField(
        _("requested removals count"),
        default=False,
        db_default=False,
        help_text=_("A license counts no more once its removal was requested, and not only when it was confirmed."),
    )
    proration_convention = models.CharField(
        _("proration"), max_length=22, choices=CONVENTION_CHOICES, default=Convention.ELAPSED_24H.value
    )
    full_refund_hours = models.PositiveIntegerField(
        _("full refund, hours"), null=True, blank=True, help_text=_("From the start of each charge's period.")
    )
    prorated_refund_hours = models.PositiveIntegerField(
        _("prorated refund, hours"), null=True, blank=True, help_text=_("After that nothing comes back.")
    )
    created_at = models.DateTimeField(_("created"))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, editable=False, related_name="+"
    )

    class Meta:
        verbose_name = _("cancellation policy")
        verbose_name_plural = _("cancellation policies")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "version"], name="one_policy_per_tenant_and_version"),
            models.UniqueConstraint(
                fields=["version"], condition=Q(tenant=None), name="one_default_policy_per_version"
            ),
            models.UniqueConstraint(
                fields=["tenant"],
                condition=Q(in_force=True, tenant__isnull=False),
                name="one_policy_in_force_per_tenant",
            ),
            models.UniqueConstraint(
                fields=["in_force"], condition=Q(in_force=True, tenant=None), name="one_default_policy_in_force"
            ),
            models.CheckConstraint(condition=Q(online_license_limit__gte=1), name="license_limit_is_at_least_one"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def terms(self) -> PolicyTerms:
        """The policy as the pure rules read it."""
        return PolicyTerms(
            name=self.name,
            version=self.version,
            id=self.pk,
            online_license_limit=self.online_license_limit,
            limit_is_inclusive=self.limit_is_inclusive,
            count_requested_removals=self.count_requested_removals,
            convention=Convention(self.proration_convention),
            full_refund_hours=self.full_refund_hours,
            prorated_refund_hours=self.prorated_refund_hours,
        )
