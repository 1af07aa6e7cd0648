"""How a tenant pays, what it is billed for, and how that ends."""

from __future__ import annotations

from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.currencies import EXPONENTS
from billing.proration import Convention, RefundTerms
from billing.renewal_stop import RenewalStop
from tenants.models import Tenant

CURRENCIES = [(code, code) for code in sorted(EXPONENTS)]
# The provider last confirmed something else than is decided, or than it did by itself. An index holds these alone.
IS_UNCONFIRMED = ~Q(confirmed_stop=F("renewal_stop")) & ~Q(
    renewal_stop=RenewalStop.NONE.value, confirmed_stop=F("stopped_elsewhere")
)


class BillingAccount(models.Model):
    """How a tenant pays."""

    tenant = models.OneToOneField(Tenant, models.PROTECT, related_name="billing_account", verbose_name=_("tenant"))
    payment_methods_known = models.BooleanField(
        _("payment methods known"),
        default=False,
        help_text=_("Off: nobody knows whether there is one, and trials are treated as if there were."),
    )

    class Meta:
        verbose_name = _("billing account")
        verbose_name_plural = _("billing accounts")

    def __str__(self) -> str:
        return str(self.tenant)


class PaymentMethod(models.Model):
    """A card, a bank account or an invoice arrangement that can be charged."""

    account = models.ForeignKey(
        BillingAccount, models.CASCADE, related_name="payment_methods", verbose_name=_("billing account")
    )
    label = models.CharField(_("label"), max_length=100, help_text=_("For example: Visa ending in 4242."))
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("payment method")
        verbose_name_plural = _("payment methods")

    def __str__(self) -> str:
        return self.label


class Agreement(models.Model):
    """One thing an account is billed for, always in one currency.

    ``provider`` bills it under ``external_id``; where nobody gave an id, nobody can be told when it ends.
    ``renewal_stop`` is what we want of the provider, ``confirmed_stop`` what it last confirmed; ``stopped_elsewhere`` what
    it did without us, which we never take back. NOW only becomes final at
    ``ends_for_good_at``, when the undo closes: until then the provider hears AT_PERIOD_END, which it can take back.
    ``confirmed_at``: when it last confirmed something.
    """

    RENEWAL_STOP_CHOICES: ClassVar = [
        (RenewalStop.NONE.value, _("goes on")),
        (RenewalStop.AT_PERIOD_END.value, _("stops at the end of the period")),
        (RenewalStop.NOW.value, _("stops at once")),
    ]

    account = models.ForeignKey(
        BillingAccount, models.PROTECT, related_name="agreements", verbose_name=_("billing account")
    )
    currency = models.CharField(_("currency"), max_length=3, choices=CURRENCIES)
    provider = models.CharField(_("provider"), max_length=20, blank=True)
    external_id = models.CharField(_("id at the provider"), max_length=100, blank=True)
    renewal_stop = models.CharField(
        _("renewal"), max_length=13, choices=RENEWAL_STOP_CHOICES, default=RenewalStop.NONE.value
    )
    ends_for_good_at = models.DateTimeField(_("cannot be taken back from"), null=True, blank=True)
    confirmed_stop = models.CharField(
        _("confirmed by the provider"),
        max_length=13,
        choices=[*RENEWAL_STOP_CHOICES, ("", _("being confirmed"))],
        default=RenewalStop.NONE.value,
        blank=True,
    )
    stopped_elsewhere = models.CharField(
        _("by the provider itself"),
        max_length=13,
        choices=RENEWAL_STOP_CHOICES,
        default=RenewalStop.NONE.value,
        db_default=RenewalStop.NONE.value,
        editable=False,
    )
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("billing agreement")
        verbose_name_plural = _("billing agreements")
        constraints = [
            models.CheckConstraint(condition=Q(external_id="") | ~Q(provider=""), name="agreement_id_is_of_a_provider"),
            models.UniqueConstraint(
                fields=["provider", "external_id"], condition=~Q(external_id=""), name="one_agreement_per_provider_id"
            ),
        ]
        indexes = [
            models.Index(fields=["confirmed_at"], name="agreement_by_confirming"),
            models.Index(fields=["ends_for_good_at"], name="agreement_by_end"),
            models.Index(
                fields=["provider"],
                condition=Q(external_id="") & ~Q(renewal_stop=RenewalStop.NONE.value),
                name="agreement_stops_untold",
            ),
            models.Index(fields=["id"], condition=IS_UNCONFIRMED, name="agreement_stop_unconfirmed"),
        ]

    def __str__(self) -> str:
        return " · ".join([str(self.account), self.currency, self.external_id or str(self.pk)])


class RenewalStopTerms(models.Model):
    """How an agreement that ends is priced: the decision's clock, zone and convention, kept while it is in force.

    Facts that arrive later (a correction, a payment, a charge) are priced by these and by nothing of their own day.
    Where it ``prorates``, what was charged comes back for the time after ``priced_at``; else only what begins at
    ``effective_at`` or later. ``agreed``: somebody settled on an amount for what was on record at ``decided_at``, which is
    in ``agreed_amounts`` by the key of its charge, in its minor units.
    """

    agreement = models.OneToOneField(Agreement, models.PROTECT, primary_key=True, related_name="stop_terms")
    decided_at = models.DateTimeField()
    priced_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    held_until = models.DateTimeField()
    anchored_at = models.DateTimeField()
    time_zone = models.CharField(max_length=63)
    prorates = models.BooleanField()
    convention = models.CharField(max_length=22)
    full_hours = models.PositiveIntegerField(null=True)
    prorated_hours = models.PositiveIntegerField(null=True)
    agreed = models.BooleanField()
    agreed_amounts = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("terms of a stop")
        verbose_name_plural = _("terms of stops")

    def __str__(self) -> str:
        return str(self.agreement)

    @property
    def refund_terms(self) -> RefundTerms:
        """What prices a refund."""
        return RefundTerms(Convention(self.convention), ZoneInfo(self.time_zone), self.full_hours, self.prorated_hours)
