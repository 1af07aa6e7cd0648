"""Plans and the subscriptions to them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from django.core.validators import URLValidator
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils.translation import gettext_lazy as _

from billing.models import Agreement
from billing.periods import EARLIEST, LATEST, MAX_MONTHS, Period
from common.fields import SearchKeyField
from subscriptions.models.sources import FactSource
from subscriptions.policy.facts import Channel, Mode, Status
from subscriptions.policy.status import DISABLED_FOR, EXPIRED_FOR, IN_SERVICE
from tenants.models import Tenant


class Plan(models.Model):
    """A product that can be bought."""

    part_number = models.CharField(_("part number"), max_length=200, unique=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    search_key = SearchKeyField(of=("name", "part_number"))

    class Meta:
        verbose_name = _("plan")
        verbose_name_plural = _("plans")

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name, or the part number of a product that nobody gave one."""
        return self.name or self.part_number


_NO_METHOD = Q(has_payment_method=False) | (
    Q(has_payment_method=None, agreement__account__payment_methods_known=True)
    & ~Q(agreement__account__payment_methods__is_active=True)
)
# Ends with its period although nobody cancels it.
LAPSES = Q(canceled_mode=None, base_status__in=[Status.ACTIVE, Status.SUSPENDED]) & (
    Q(renews=False) | (Q(is_trial=True) & _NO_METHOD)
)


class SubscriptionQuerySet(models.QuerySet["Subscription"]):
    """Adds the status as it stands at an instant: policy.status_at in SQL, for filters and lists.

    A test holds both, and in_service with is_in_service, together for every row.
    """

    def with_status(self, at: datetime) -> SubscriptionQuerySet:
        """Annotate ``status_now``."""
        return self.annotate(
            status_now=Case(
                *_ended_at(Q(canceled_mode=Mode.IMMEDIATE), "ends_at", at, expires=False),
                *_ended_at(Q(canceled_mode=Mode.AT_PERIOD_END), "ends_at", at, expires=True),
                When(canceled_mode__isnull=False, then=Value(Status.CANCELING.value)),
                *_ended_at(LAPSES, "period_end", at, expires=True),
                default=F("base_status"),
                output_field=models.CharField(),
            )
        )

    def in_status(self, statuses: Iterable[Status], at: datetime) -> SubscriptionQuerySet:
        """Only those in one of ``statuses`` at ``at``."""
        return self.with_status(at).filter(status_now__in=[status.value for status in statuses])  # type: ignore[misc]

    def in_service(self, at: datetime) -> SubscriptionQuerySet:
        """Only those that have not ended at ``at``, which is compared and nothing else: prepared queries can ask it."""
        lasts = ~LAPSES | Q(period_end=None) | Q(period_end__gt=at)
        return self.filter(Q(ends_at__gt=at) | (Q(canceled_mode=None, base_status__in=IN_SERVICE) & lasts))


def _ended_at(which: Q, end: str, at: datetime, *, expires: bool) -> list[When]:
    expired_for = EXPIRED_FOR if expires else EXPIRED_FOR * 0
    steps = [
        (at - expired_for - DISABLED_FOR, Status.DELETED),
        (at - expired_for, Status.DISABLED),
        *([(at, Status.EXPIRED)] if expires else []),
    ]
    return [When(which & Q(**{f"{end}__lte": before}), then=Value(status.value)) for before, status in steps]


class Subscription(models.Model):
    """What a tenant bought: one row per purchase, also when it bought the same product twice.

    ``base_status`` is what billing or the import says; ``canceled_mode`` and ``ends_at`` are set by the
    cancellation in force; ``ended_source`` is whoever bills and ended it without us. The status that people see follows
    from them and the time: policy.status_at.
    """

    STATUS_CHOICES: ClassVar = [
        (Status.ACTIVE.value, _("active")),
        (Status.SUSPENDED.value, _("suspended")),
        (Status.CANCELING.value, _("canceling")),
        (Status.EXPIRED.value, _("expired")),
        (Status.DISABLED.value, _("disabled")),
        (Status.DELETED.value, _("deleted")),
    ]
    CHANNEL_CHOICES: ClassVar = [
        (Channel.DIRECT.value, _("bought directly")),
        (Channel.PARTNER.value, _("sold by a partner")),
        (Channel.PREPAID.value, _("product key")),
    ]
    MODE_CHOICES: ClassVar = [
        (Mode.IMMEDIATE.value, _("immediately")),
        (Mode.AT_PERIOD_END.value, _("at the end of the period")),
    ]

    # Its own index would be the beginning of others.
    tenant = models.ForeignKey(
        Tenant, models.PROTECT, related_name="subscriptions", db_index=False, verbose_name=_("tenant")
    )
    plan = models.ForeignKey(Plan, models.PROTECT, related_name="subscriptions", verbose_name=_("plan"))
    agreement = models.OneToOneField(Agreement, models.PROTECT, related_name="subscription", editable=False)
    external_id = models.CharField(_("subscription id"), max_length=100, blank=True)
    base_status = models.CharField(
        _("status of record"), max_length=10, choices=STATUS_CHOICES, default=Status.ACTIVE.value
    )
    is_trial = models.BooleanField(_("trial"), default=False)
    channel = models.CharField(_("channel"), max_length=8, choices=CHANNEL_CHOICES, default=Channel.DIRECT.value)
    partner_name = models.CharField(_("partner"), max_length=200, blank=True)
    partner_url = models.CharField(
        _("address of the partner's site"),
        max_length=500,
        blank=True,
        default="",
        db_default="",
        validators=[URLValidator(["https", "http"])],
    )
    partner_email = models.EmailField(_("email of the partner"), blank=True, default="", db_default="")
    partner_phone = models.CharField(_("phone of the partner"), max_length=30, blank=True, default="", db_default="")
    purchased_licenses = models.PositiveIntegerField(_("purchased licenses"), default=0)
    period_start = models.DateTimeField(_("period start"), null=True, blank=True)
    period_end = models.DateTimeField(_("period end"), null=True, blank=True)
    anchored_at = models.DateTimeField(_("anchor of its periods"), null=True, blank=True)
    term_months = models.PositiveSmallIntegerField(_("term in months"), null=True, blank=True)
    renews = models.BooleanField(_("renews by itself"), default=True)
    unit_price = models.BigIntegerField(_("price of a license, minor units"), null=True, blank=True)
    billed_months = models.PositiveSmallIntegerField(_("months that one charge covers"), null=True, blank=True)
    plan_name = models.CharField(_("plan"), max_length=200, blank=True, default="", db_default="")
    has_payment_method = models.BooleanField(
        _("has a payment method"),
        null=True,
        blank=True,
        help_text=_("Unknown: what the billing account says counts."),
    )
    shares_licenses = models.BooleanField(
        _("shares its licenses"),
        default=False,
        db_default=False,
        editable=False,
        help_text=_("Bought several times, and nobody says who holds which: every holder counts for each."),
    )
    shares_split_at = models.DateTimeField(_("holders split"), null=True, editable=False)
    source = models.ForeignKey(
        FactSource,
        models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        db_index=False,
        verbose_name=_("source"),
    )
    known_at = models.DateTimeField(_("as of"), null=True, editable=False)
    # As of when seats and end were said themselves, and not found out by what was charged.
    seats_said_at = models.DateTimeField(null=True, editable=False)
    end_said_at = models.DateTimeField(null=True, editable=False)
    canceled_mode = models.CharField(_("canceled"), max_length=13, choices=MODE_CHOICES, null=True, editable=False)
    ends_at = models.DateTimeField(_("ends"), null=True, editable=False)
    ended_source = models.CharField(_("ended by"), max_length=20, blank=True, default="", db_default="", editable=False)
    ended_reason = models.CharField(
        _("why it ended there"), max_length=100, blank=True, default="", db_default="", editable=False
    )

    objects = SubscriptionQuerySet.as_manager()

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        permissions = [
            ("cancel_for_customer", _("Can cancel for a customer, whatever the license count")),
            ("override_quote", _("Can settle on another amount than the rules give")),
            ("split_holders", _("Can split holders among subscriptions of one product")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "external_id"], condition=~Q(external_id=""), name="one_subscription_per_external_id"
            ),
            models.CheckConstraint(
                condition=Q(canceled_mode=None, ends_at=None) | Q(canceled_mode__isnull=False, ends_at__isnull=False),
                name="canceled_subscription_has_an_end",
            ),
            models.CheckConstraint(
                condition=Q(period_start=None, period_end=None) | Q(period_start__lt=F("period_end")),
                name="subscription_period_is_forward",
            ),
            models.CheckConstraint(
                condition=Q(period_start=None, period_end=None) | Q(period_start__gte=EARLIEST, period_end__lte=LATEST),
                name="subscription_period_is_in_bounds",
            ),
            models.CheckConstraint(
                condition=Q(term_months=None) | Q(term_months__gte=1, term_months__lte=MAX_MONTHS),
                name="term_is_between_a_month_and_ten_years",
            ),
            models.CheckConstraint(
                condition=Q(billed_months=None) | Q(billed_months__gte=1, billed_months__lte=MAX_MONTHS),
                name="charge_covers_a_month_to_ten_years",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "-id"], name="subscription_newest_first"),
            models.Index(fields=["tenant", "plan"], name="subscription_by_product"),
            models.Index(fields=["ends_at"], condition=Q(ends_at__isnull=False), name="subscription_by_end"),
            # Of all rows: SQLite asks a partial index only for what the statement itself says.
            models.Index(fields=["external_id"], name="subscription_by_external_id"),
        ]

    def __str__(self) -> str:
        return f"{self.plan} · {self.tenant}"

    @property
    def period(self) -> Period | None:
        """The period on record; what is current, policy.current_period finds out."""
        return Period(self.period_start, self.period_end) if self.period_start and self.period_end else None
