"""What was billed, what was paid, and what goes back. Amounts are integers of the currency's minor unit.

Knows no subscription: a subscription has an Agreement, and everything here hangs on that.
"""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.money import EXPONENTS, Money, largest_remainder
from billing.periods import EARLIEST, LATEST
from billing.proration import Convention, RefundTerms
from billing.providers.base import Ending
from tenants.models import Tenant

CURRENCIES = [(code, code) for code in sorted(EXPONENTS)]


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
    ``ending`` is what we want of the provider, ``told`` what it last confirmed. NOW only becomes final at
    ``ends_for_good_at``, when the undo closes: until then the provider hears AT_PERIOD_END, which it can take back.
    """

    ENDING_CHOICES: ClassVar = [
        (Ending.NONE.value, _("goes on")),
        (Ending.AT_PERIOD_END.value, _("stops at the end of the period")),
        (Ending.NOW.value, _("stops at once")),
    ]

    account = models.ForeignKey(
        BillingAccount, models.PROTECT, related_name="agreements", verbose_name=_("billing account")
    )
    currency = models.CharField(_("currency"), max_length=3, choices=CURRENCIES)
    provider = models.CharField(_("provider"), max_length=20, blank=True)
    external_id = models.CharField(_("id at the provider"), max_length=100, blank=True)
    ending = models.CharField(_("ending"), max_length=13, choices=ENDING_CHOICES, default=Ending.NONE.value)
    ends_for_good_at = models.DateTimeField(_("cannot be taken back from"), null=True, blank=True)
    told = models.CharField(
        _("confirmed by the provider"),
        max_length=13,
        choices=[*ENDING_CHOICES, ("", _("being told"))],
        default=Ending.NONE.value,
        blank=True,
    )

    class Meta:
        verbose_name = _("billing agreement")
        verbose_name_plural = _("billing agreements")
        constraints = [
            models.CheckConstraint(condition=Q(external_id="") | ~Q(provider=""), name="agreement_id_is_of_a_provider"),
            models.UniqueConstraint(
                fields=["provider", "external_id"], condition=~Q(external_id=""), name="one_agreement_per_provider_id"
            ),
        ]

    def __str__(self) -> str:
        return " · ".join([str(self.account), self.currency, self.external_id or str(self.pk)])


class EndingTerms(models.Model):
    """How an agreement that ends is priced: the decision's clock, zone and convention, kept while it is in force.

    Facts that arrive later (a correction, a payment, a charge) are priced by these and by nothing of their own day.
    Where it ``prorates``, what was charged comes back for the time after ``priced_at``; else only what begins at
    ``effective_at`` or later. ``agreed``: somebody settled on an amount for what was on record at ``decided_at``.
    """

    agreement = models.OneToOneField(Agreement, models.PROTECT, primary_key=True, related_name="ending_terms")
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

    class Meta:
        verbose_name = _("terms of an ending")
        verbose_name_plural = _("terms of endings")

    def __str__(self) -> str:
        return str(self.agreement)

    @property
    def refund_terms(self) -> RefundTerms:
        """What prices a refund."""
        return RefundTerms(Convention(self.convention), ZoneInfo(self.time_zone), self.full_hours, self.prorated_hours)


class Charge(models.Model):
    """What was billed for one period of some seats, after discounts. ``charged`` and ``settled`` include ``tax``.

    ``corrected`` is the sum of the corrections that name this charge; ``refunded`` is everything returned,
    on its way or held. The database refuses a refund above what was settled.
    """

    agreement = models.ForeignKey(
        Agreement, models.PROTECT, related_name="charges", verbose_name=_("billing agreement")
    )
    external_id = models.CharField(_("charge id"), max_length=100)
    description = models.CharField(_("description"), max_length=200)
    seats = models.PositiveIntegerField(_("seats"), default=1)
    period_start = models.DateTimeField(_("period start"))
    period_end = models.DateTimeField(_("period end"))
    charged_at = models.DateTimeField(_("charged"))
    recorded_at = models.DateTimeField(_("recorded"), default=timezone.now, editable=False)
    charged = models.BigIntegerField(_("charged, minor units"))
    tax = models.BigIntegerField(_("of that tax"), default=0)
    settled = models.BigIntegerField(_("settled"), default=0)
    in_flight = models.BigIntegerField(_("in flight"), default=0)
    corrected = models.BigIntegerField(_("corrected"), default=0)
    corrected_tax = models.BigIntegerField(_("of that tax"), default=0)
    refunded = models.BigIntegerField(_("refunded"), default=0)

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        constraints = [
            models.UniqueConstraint(fields=["agreement", "external_id"], name="one_charge_per_external_id"),
            models.CheckConstraint(condition=Q(period_start__lt=F("period_end")), name="charge_period_is_forward"),
            models.CheckConstraint(
                condition=Q(period_start__gte=EARLIEST, period_end__lte=LATEST), name="charge_period_is_in_bounds"
            ),
            models.CheckConstraint(
                condition=Q(tax__gte=0, charged__gte=F("tax"), settled__gte=0, in_flight__gte=0),
                name="charge_amounts_are_not_negative",
            ),
            models.CheckConstraint(condition=Q(settled__lte=F("charged")), name="charge_settles_no_more_than_charged"),
            models.CheckConstraint(
                condition=Q(corrected__gte=0, corrected__lte=F("charged"), corrected_tax__gte=0)
                & Q(corrected_tax__lte=F("corrected")),
                name="charge_correction_is_within_charge",
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("settled")), name="charge_refunds_no_more_than_settled"
            ),
        ]
        indexes = [models.Index(fields=["agreement", "period_end"], name="charge_by_period_end")]

    def __str__(self) -> str:
        return self.external_id

    def tax_in(self, refund: int) -> int:
        """The tax inside a refund of this charge, in the proportion of what is left of it after corrections."""
        tax = self.tax - self.corrected_tax
        return largest_remainder(refund, (self.charged - self.corrected - tax, tax))[1]


class Correction(models.Model):
    """Reduces the charge it names, for example after a discount that came late."""

    charge = models.ForeignKey(Charge, models.PROTECT, related_name="corrections", verbose_name=_("charge"))
    external_id = models.CharField(_("correction id"), max_length=100)
    amount = models.BigIntegerField(_("amount, minor units"))
    tax = models.BigIntegerField(_("of that tax"), default=0)
    corrected_at = models.DateTimeField(_("corrected"))

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        constraints = [
            models.UniqueConstraint(fields=["charge", "external_id"], name="one_correction_per_external_id"),
            models.CheckConstraint(condition=Q(amount__gt=0, tax__gte=0), name="correction_is_positive"),
        ]

    def __str__(self) -> str:
        return self.external_id


class RefundStatus(StrEnum):
    """HELD while the undo is open, PENDING until a provider takes it; SUCCEEDED only when the provider said so."""

    HELD = "HELD"
    PENDING = "PENDING"
    SUBMITTED = "SUBMITTED"
    SUCCEEDED = "SUCCEEDED"
    PARTIALLY_SUCCEEDED = "PARTIALLY_SUCCEEDED"
    FAILED = "FAILED"
    VOIDED = "VOIDED"
    SETTLED_MANUALLY = "SETTLED_MANUALLY"


# Still to be sent or on its way to the provider; failed and waiting for staff; not yet over.
SENDABLE_REFUND_STATUSES = (RefundStatus.PENDING, RefundStatus.SUBMITTED)
STUCK_REFUND_STATUSES = (RefundStatus.FAILED, RefundStatus.PARTIALLY_SUCCEEDED)
PROMISED_REFUND_STATUSES = (RefundStatus.HELD, *SENDABLE_REFUND_STATUSES)
UNSETTLED_REFUND_STATUSES = (*PROMISED_REFUND_STATUSES, *STUCK_REFUND_STATUSES)
# A refund in one of these is over; any other one still has to arrive.
FINAL_REFUND_STATUSES = (RefundStatus.SUCCEEDED, RefundStatus.VOIDED, RefundStatus.SETTLED_MANUALLY)


class Refund(models.Model):
    """Money that goes back under one agreement, in one part per charge.

    By the rule of the agreement's ending, or made ``by_hand``. ``repriced_at``: when facts last changed its amount.
    """

    STATUS_CHOICES: ClassVar = [
        (RefundStatus.HELD.value, _("held until the undo closes")),
        (RefundStatus.PENDING.value, _("pending")),
        (RefundStatus.SUBMITTED.value, _("submitted")),
        (RefundStatus.SUCCEEDED.value, _("succeeded")),
        (RefundStatus.PARTIALLY_SUCCEEDED.value, _("partially succeeded")),
        (RefundStatus.FAILED.value, _("failed")),
        (RefundStatus.VOIDED.value, _("voided")),
        (RefundStatus.SETTLED_MANUALLY.value, _("settled by hand")),
    ]

    agreement = models.ForeignKey(
        Agreement, models.PROTECT, related_name="refunds", verbose_name=_("billing agreement")
    )
    amount = models.BigIntegerField(_("amount, minor units"))
    status = models.CharField(_("status"), max_length=20, choices=STATUS_CHOICES)
    priced_at = models.DateTimeField(_("priced"))
    requested_at = models.DateTimeField(_("requested"))
    held_until = models.DateTimeField(_("held until"))
    due_by = models.DateField(_("due by"))
    settled_at = models.DateTimeField(_("settled"), null=True, blank=True)
    provider = models.CharField(_("provider"), max_length=20, default="ledger")
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    by_hand = models.BooleanField(_("by hand"), default=False, editable=False)
    repriced_at = models.DateTimeField(_("priced again"), null=True, blank=True, editable=False)
    found_late_at = models.DateTimeField(_("found late"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("refund")
        permissions = [("settle_refund", _("Can retry, settle by hand and make refunds"))]
        verbose_name_plural = _("refunds")
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="refund_is_positive")]
        indexes = [models.Index(fields=["status", "due_by"], name="refund_by_status_and_due")]

    def __str__(self) -> str:
        return str(self.money)

    @property
    def money(self) -> Money:
        """The amount. Reads the agreement: select_related it in lists."""
        return Money(self.amount, self.agreement.currency)


class PartStatus(StrEnum):
    """SENT from just before the provider is asked; only what the provider said makes it SUCCEEDED or FAILED."""

    WAITING = "WAITING"
    SENT = "SENT"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class RefundPart(models.Model):
    """What a refund returns of one charge. Its id is the provider's idempotency key.

    ``amount_by_rule``: what the facts would give now, where that is less than what was already sent.
    """

    STATUS_CHOICES: ClassVar = [
        (PartStatus.WAITING.value, _("waiting")),
        (PartStatus.SENT.value, _("sent")),
        (PartStatus.SUCCEEDED.value, _("succeeded")),
        (PartStatus.FAILED.value, _("failed")),
    ]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    refund = models.ForeignKey(Refund, models.PROTECT, related_name="parts", verbose_name=_("refund"))
    charge = models.ForeignKey(Charge, models.PROTECT, related_name="refund_parts", verbose_name=_("charge"))
    amount = models.BigIntegerField(_("amount, minor units"))
    tax = models.BigIntegerField(_("of that tax"), default=0)
    amount_by_rule = models.BigIntegerField(_("by the facts since, minor units"), null=True, editable=False)
    status = models.CharField(_("status"), max_length=9, choices=STATUS_CHOICES, default=PartStatus.WAITING.value)
    retries = models.PositiveSmallIntegerField(_("retries"), default=0)
    reference = models.CharField(_("reference of the provider"), max_length=100, blank=True)
    failure = models.CharField(_("failure"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("refund part")
        verbose_name_plural = _("refund parts")
        constraints = [
            models.UniqueConstraint(fields=["refund", "charge"], name="one_part_per_charge"),
            models.CheckConstraint(condition=Q(amount__gt=0, tax__gte=0), name="refund_part_is_positive"),
        ]

    @property
    def key(self) -> str:
        """The provider's idempotency key: the part's id, and a number once a definite failure is tried again."""
        return f"{self.pk}.{self.retries}" if self.retries else str(self.pk)


class LedgerEntry(models.Model):
    """A credit that our own ledger has booked: a line of the tenant's statement. Amounts in minor units."""

    key = models.CharField(_("key"), max_length=50, unique=True)
    agreement = models.ForeignKey(
        Agreement, models.PROTECT, related_name="ledger_entries", verbose_name=_("billing agreement")
    )
    charge = models.ForeignKey(Charge, models.PROTECT, related_name="ledger_entries", verbose_name=_("charge"))
    amount = models.BigIntegerField(_("amount, minor units"))
    text = models.CharField(_("text"), max_length=200)
    booked_at = models.DateTimeField(_("booked"))

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="ledger_entry_is_positive")]

    def __str__(self) -> str:
        return self.text
