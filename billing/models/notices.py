"""What a provider said about money that could not be taken."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing.models.accounts import Agreement
from billing.models.charges import ReturnElsewhere
from common.choices import MAX_CODE, choices_of
from common.codes import N_, CodeTable


class NoticeReason(CodeTable):
    """Why what a provider says cannot be taken."""

    label: str

    TWO_CHARGES = "TWO_CHARGES", N_("two charges go by that id")
    OTHER_CURRENCY = "OTHER_CURRENCY", N_("the charge is in another currency")
    TOO_MUCH = "TOO_MUCH", N_("it is more than was charged")
    NEGATIVE = "NEGATIVE", N_("the amount is below zero")


class ProviderNotice(models.Model):
    """A word of a provider that contradicts what is on record, kept until staff looked at it (``seen_at``).

    ``kind``: what it spoke of, PAYMENT or a ReturnKind. Where it says another thing later, that is another notice.
    """

    PAYMENT: ClassVar[str] = "PAYMENT"
    KIND_CHOICES: ClassVar = [(PAYMENT, _("paid")), *ReturnElsewhere.KIND_CHOICES]

    provider = models.CharField(_("provider"), max_length=20)
    reference = models.CharField(_("reference"), max_length=100)
    reason = models.CharField(_("why not"), max_length=MAX_CODE, choices=partial(choices_of, NoticeReason))
    kind = models.CharField(_("kind"), max_length=7, choices=KIND_CHOICES, blank=True, default="", db_default="")
    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="+", verbose_name=_("billing agreement"))
    charge_id = models.CharField(_("charge"), max_length=100)
    amount = models.BigIntegerField(_("amount, minor units"))
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    said_at = models.DateTimeField(_("said"))
    seen_at = models.DateTimeField(_("looked at"), null=True, blank=True)

    class Meta:
        verbose_name = _("provider notice")
        verbose_name_plural = _("provider notices")
        permissions = [("resolve_providernotice", _("Can say that a notice was looked at"))]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "reference", "reason", "kind", "charge_id", "amount", "currency"],
                name="one_notice_per_fact",
            ),
        ]
        indexes = [models.Index(fields=["id"], condition=Q(seen_at__isnull=True), name="notice_unseen")]

    def __str__(self) -> str:
        return self.reference
