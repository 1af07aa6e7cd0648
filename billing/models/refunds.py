"""What goes back, in one part per charge."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from billing.models.accounts import CURRENCIES, Agreement
from billing.models.charges import Charge
from billing.money import Money


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
    ``changed_at``: when its status or amount last was.
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
    currency = models.CharField(_("currency"), max_length=3, choices=CURRENCIES)
    status = models.CharField(_("status"), max_length=20, choices=STATUS_CHOICES)
    priced_at = models.DateTimeField(_("priced"))
    requested_at = models.DateTimeField(_("requested"))
    held_until = models.DateTimeField(_("held until"))
    due_by = models.DateField(_("due by"))
    returned_at = models.DateTimeField(_("returned"), null=True, blank=True)
    provider = models.CharField(_("provider"), max_length=20)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    by_hand = models.BooleanField(_("by hand"), default=False, editable=False)
    repriced_at = models.DateTimeField(_("priced again"), null=True, blank=True, editable=False)
    found_late_at = models.DateTimeField(_("found late"), null=True, blank=True, editable=False)
    changed_at = models.DateTimeField(_("changed"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("refund")
        permissions = [("settle_refund", _("Can retry, settle by hand and make refunds"))]
        verbose_name_plural = _("refunds")
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="refund_is_positive")]
        indexes = [
            models.Index(fields=["status", "due_by"], name="refund_by_status_and_due"),
            models.Index(fields=["changed_at"], name="refund_by_change"),
        ]

    def __str__(self) -> str:
        return str(self.money)

    @property
    def money(self) -> Money:
        """What was promised. Where a charge is in a currency that ended, its parts are in that: see RefundPart."""
        return Money(self.amount, self.currency)


class PartStatus(StrEnum):
    """SENT from just before the provider is asked; only what the provider said makes it SUCCEEDED or FAILED."""

    WAITING = "WAITING"
    SENT = "SENT"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class RefundPart(models.Model):
    """What a refund returns of one charge. Its id is the provider's idempotency key.

    ``amount`` is in the currency of the charge, ``promised`` the same in that of the refund: they differ where a currency
    ended in between.
    ``amount_by_rule``: what the facts would give now, where that is less than what was already sent. ``sent_at``: when
    the provider was first asked under the present key.
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
    promised = models.BigIntegerField(_("promised, minor units"))
    tax = models.BigIntegerField(_("of that tax"), default=0)
    amount_by_rule = models.BigIntegerField(_("by the facts since, minor units"), null=True, editable=False)
    status = models.CharField(_("status"), max_length=9, choices=STATUS_CHOICES, default=PartStatus.WAITING.value)
    retries = models.PositiveSmallIntegerField(_("retries"), default=0)
    reference = models.CharField(_("reference of the provider"), max_length=100, blank=True)
    failure = models.CharField(_("failure"), max_length=200, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("refund part")
        verbose_name_plural = _("refund parts")
        constraints = [
            models.UniqueConstraint(fields=["refund", "charge"], name="one_part_per_charge"),
            models.CheckConstraint(condition=Q(amount__gt=0, tax__gte=0), name="refund_part_is_positive"),
        ]
        indexes = [
            models.Index(fields=["sent_at"], name="part_by_sending"),
            models.Index(fields=["refund"], condition=Q(amount_by_rule__isnull=False), name="part_sent_too_high"),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def key(self) -> str:
        """The provider's idempotency key: the part's id, and a number once a definite failure is tried again."""
        return f"{self.pk}.{self.retries}" if self.retries else str(self.pk)

    @property
    def keys(self) -> list[str]:
        """All keys that it was ever sent under, the present one last."""
        return [str(self.pk), *(f"{self.pk}.{number}" for number in range(1, self.retries + 1))]
