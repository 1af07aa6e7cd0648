"""What was billed and paid, what was taken off it, and the credits in our own ledger."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.models.accounts import CURRENCIES, Agreement
from billing.money import Money, largest_remainder
from billing.periods import EARLIEST, LATEST
from billing.return_kinds import ReturnKind, ReturnStatus

# Who says what a file said.
IMPORTED = "import"
_GONE = F("refunded") + F("returned_elsewhere") + F("disputed")
# More is gone, or promised, than was paid and not corrected. An index holds these charges alone.
IS_EXCEEDED = Q(paid__lt=_GONE) | Q(charged__lt=_GONE + F("corrected"))


class Charge(models.Model):
    """What was billed for one period of some seats, after discounts. ``charged`` and ``paid`` include ``tax``.

    ``corrected`` is the sum of the corrections that name this charge; ``refunded`` is all that we returned, have on
    its way or hold. The database refuses a refund above what was paid. ``paid`` is the most that ever arrived, as
    ``paid_by`` (a provider, or IMPORTED) said at ``known_at``: what left again is in ``returned_elsewhere`` or
    ``disputed``. Nothing but ``billing.writing`` changes these facts.
    """

    agreement = models.ForeignKey(
        Agreement, models.PROTECT, related_name="charges", verbose_name=_("billing agreement")
    )
    external_id = models.CharField(_("charge id"), max_length=100)
    currency = models.CharField(_("currency"), max_length=3, choices=CURRENCIES)
    description = models.CharField(_("description"), max_length=200)
    seats = models.PositiveIntegerField(_("seats"), default=1)
    period_start = models.DateTimeField(_("period start"))
    period_end = models.DateTimeField(_("period end"))
    charged_at = models.DateTimeField(_("charged"))
    recorded_at = models.DateTimeField(_("recorded"), default=timezone.now, editable=False)
    charged = models.BigIntegerField(_("charged, minor units"))
    tax = models.BigIntegerField(_("of that tax"), default=0)
    paid = models.BigIntegerField(_("paid"), default=0)
    in_flight = models.BigIntegerField(_("in flight"), default=0)
    corrected = models.BigIntegerField(_("corrected"), default=0)
    corrected_tax = models.BigIntegerField(_("of that tax"), default=0)
    refunded = models.BigIntegerField(_("refunded"), default=0)
    returned_elsewhere = models.BigIntegerField(_("returned elsewhere"), default=0, db_default=0)
    disputed = models.BigIntegerField(_("disputed"), default=0, db_default=0)
    paid_by = models.CharField(max_length=20, default=IMPORTED, db_default=IMPORTED, editable=False)
    known_at = models.DateTimeField(null=True, editable=False)

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
                condition=Q(tax__gte=0, charged__gte=F("tax"), paid__gte=0, in_flight__gte=0),
                name="charge_amounts_are_not_negative",
            ),
            models.CheckConstraint(condition=Q(paid__lte=F("charged")), name="charge_is_paid_no_more_than_charged"),
            models.CheckConstraint(
                condition=Q(corrected__gte=0, corrected__lte=F("charged"), corrected_tax__gte=0)
                & Q(corrected_tax__lte=F("corrected")),
                name="charge_correction_is_within_charge",
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0, refunded__lte=F("paid")), name="charge_refunds_no_more_than_paid"
            ),
            models.CheckConstraint(
                condition=Q(returned_elsewhere__gte=0, disputed__gte=0), name="charge_takes_nothing_negative"
            ),
        ]
        indexes = [
            models.Index(fields=["agreement", "period_end"], name="charge_by_period_end"),
            models.Index(fields=["recorded_at"], name="charge_by_recording"),
            models.Index(fields=["external_id"], name="charge_by_external_id"),
            models.Index(fields=["id"], condition=IS_EXCEEDED, name="charge_exceeded"),
        ]

    def __str__(self) -> str:
        return self.external_id

    def money(self, amount: int) -> Money:
        """Minor units of this charge as money. One agreement may span a currency that ended and its successor."""
        return Money(amount, self.currency)

    @property
    def returnable(self) -> int:
        """The most that may come back in all, whoever returns it: what was paid and not corrected."""
        return min(self.paid, self.charged - self.corrected)

    @property
    def gone(self) -> int:
        """What came back, or may, by us and by others, and what disputes hold or took."""
        return self.refunded + self.returned_elsewhere + self.disputed

    @property
    def left(self) -> int:
        """What can still be promised of it."""
        return max(0, self.returnable - self.gone)

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


class ReturnElsewhere(models.Model):
    """Money of a charge that left without us, as ``source`` told it: refunded in a dashboard, or taken by a dispute.

    ``known_at``: when that was so. An older word changes nothing.
    """

    KIND_CHOICES: ClassVar = [
        (ReturnKind.REFUND.value, _("refunded")),
        (ReturnKind.DISPUTE.value, _("disputed")),
        (ReturnKind.NET.value, _("said to be gone")),
    ]
    STATUS_CHOICES: ClassVar = [
        (ReturnStatus.OPEN.value, _("on its way")),
        (ReturnStatus.GONE.value, _("gone")),
        (ReturnStatus.BACK.value, _("back again")),
    ]

    charge = models.ForeignKey(Charge, models.PROTECT, related_name="returns_elsewhere", verbose_name=_("charge"))
    source = models.CharField(_("source"), max_length=20)
    kind = models.CharField(_("kind"), max_length=7, choices=KIND_CHOICES)
    external_id = models.CharField(_("reference"), max_length=100, blank=True)
    amount = models.BigIntegerField(_("amount, minor units"))
    status = models.CharField(_("status"), max_length=4, choices=STATUS_CHOICES)
    known_at = models.DateTimeField(_("known since"))

    class Meta:
        verbose_name = _("return elsewhere")
        verbose_name_plural = _("returns elsewhere")
        constraints = [
            models.UniqueConstraint(
                fields=["charge", "source", "kind", "external_id"], name="one_return_per_reference"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="return_elsewhere_is_not_negative"),
        ]

    def __str__(self) -> str:
        return self.external_id or self.source


class LedgerEntry(models.Model):
    """A credit that our own ledger has booked: a line of the tenant's statement, in what it was promised in."""

    key = models.CharField(_("key"), max_length=50, unique=True)
    agreement = models.ForeignKey(
        Agreement, models.PROTECT, related_name="ledger_entries", verbose_name=_("billing agreement")
    )
    charge = models.ForeignKey(Charge, models.PROTECT, related_name="ledger_entries", verbose_name=_("charge"))
    amount = models.BigIntegerField(_("amount, minor units"))
    currency = models.CharField(_("currency"), max_length=3, choices=CURRENCIES)
    text = models.CharField(_("text"), max_length=200)
    booked_at = models.DateTimeField(_("booked"))

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="ledger_entry_is_positive")]
        indexes = [models.Index(fields=["booked_at"], name="ledger_entry_by_booking")]

    def __str__(self) -> str:
        return self.text
