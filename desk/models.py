"""The callback queue: "let us call you"."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import partial

import holidays
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.choices import MAX_CODE, choices_of
from common.codes import N_, CodeTable
from common.languages import MAX_LANGUAGE, language_choices
from desk.attempts import CallOutcome
from desk.codes import OPEN_STATUSES, CallbackStatus, CloseReason
from desk.windows import LONGEST_WINDOW
from subscriptions.models.cancellations import Cancellation
from subscriptions.models.plans import Subscription
from tenants.models import PartnerToken, Tenant, VouchedPerson, validate_time_zone


class CallbackSource(CodeTable):
    label: str

    GRAPHQL = "graphql", N_("API")
    PORTAL = "portal", N_("portal page")
    STAFF = "staff", N_("staff")


def validate_regions(regions: object) -> None:
    """Raise ValidationError unless ``regions`` is a list of two-letter country codes."""
    ok = isinstance(regions, list) and all(isinstance(r, str) and len(r) == 2 and r.isupper() for r in regions)
    if not ok:
        raise ValidationError(_('A list of country codes, for example ["BG", "DE"]; empty: every country.'))


def read_days(text: str) -> list[date]:
    """The days of a text with one ISO date a line. Raises ValueError for a line that is none."""
    return [date.fromisoformat(line.strip()) for line in text.splitlines() if line.strip()]


def validate_days(text: str) -> None:
    """Raise ValidationError unless every line is a date."""
    try:
        read_days(text)
    except ValueError:
        raise ValidationError(_("One date a line, for example 2026-12-31.")) from None


def validate_country(code: str) -> None:
    """Raise ValidationError unless the holidays of the country are known."""
    if code not in holidays.list_supported_countries():
        raise ValidationError(_("A country code such as BG or DE."))


class CallbackDesk(models.Model):
    """When and where the desk calls. One row."""

    time_zone = models.CharField(_("time zone"), max_length=64, default="Europe/Sofia", validators=[validate_time_zone])
    country = models.CharField(_("country of its holidays"), max_length=2, default="BG", validators=[validate_country])
    days_off = models.TextField(
        _("own days off"),
        blank=True,
        validators=[validate_days],
        help_text=_("Besides the country's holidays: one date a line, for example 2026-12-31."),
    )
    opens_at = models.TimeField(_("opens"), default=time(9))
    closes_at = models.TimeField(_("closes"), default=time(18))
    keep_contact_days = models.PositiveSmallIntegerField(
        _("days that contact data is kept after a request closes"), default=30
    )
    answer_within_hours = models.PositiveSmallIntegerField(
        _("business hours until the first call"),
        default=4,
        validators=[MinValueValidator(1), MaxValueValidator(40)],
        help_text=_("For requests as soon as possible. After that, or after the chosen window, a call is overdue."),
    )
    window_minutes = models.PositiveSmallIntegerField(
        _("minutes in a window"),
        default=120,
        validators=[MinValueValidator(15), MaxValueValidator(LONGEST_WINDOW // timedelta(minutes=1))],
    )
    window_capacity = models.PositiveSmallIntegerField(
        _("calls per window"), default=4, validators=[MinValueValidator(1)]
    )
    regions = models.JSONField(
        _("countries it calls"),
        default=list,
        blank=True,
        validators=[validate_regions],
        help_text=_("Country codes such as BG, DE; an empty list calls every country."),
    )

    class Meta:
        verbose_name = _("callback desk")
        verbose_name_plural = _("callback desk")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="one_callback_desk"),
            models.CheckConstraint(condition=Q(opens_at__lt=F("closes_at")), name="desk_opens_before_it_closes"),
        ]

    def __str__(self) -> str:
        return f"{self.opens_at:%H:%M}-{self.closes_at:%H:%M} {self.time_zone}"


class CallbackQuerySet(models.QuerySet["CallbackRequest"]):
    def open(self) -> CallbackQuerySet:
        """Those that somebody still waits for. Both columns are named: some indexes know the one, some the other."""
        return self.filter(closed_at=None, status__in=OPEN_STATUSES)


class CallbackRequest(models.Model):
    """A customer waiting for a call about one subscription. At most one per subscription is open."""

    reference = models.CharField(_("reference"), max_length=16, unique=True)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="callbacks", verbose_name=_("tenant"))
    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="callbacks", verbose_name=_("subscription")
    )
    requested_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("person")
    )
    requested_by_token = models.ForeignKey(
        PartnerToken, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("partner token")
    )
    requested_by_vouched = models.ForeignKey(
        VouchedPerson, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("vouched person")
    )
    cancellation = models.ForeignKey(
        Cancellation, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("cancellation")
    )
    source = models.CharField(_("source"), max_length=MAX_CODE, choices=partial(choices_of, CallbackSource))
    contact_name = models.CharField(_("contact name"), max_length=200, blank=True)
    phone = models.CharField(_("phone"), max_length=16, blank=True, db_index=True)
    phone_extension = models.CharField(_("extension"), max_length=20, blank=True)
    phone_as_typed = models.CharField(_("phone as typed"), max_length=50, blank=True)
    phone_is_valid = models.BooleanField(_("phone is in a known numbering range"), default=True)
    language = models.CharField(_("language"), max_length=MAX_LANGUAGE, choices=language_choices)
    time_zone = models.CharField(_("time zone"), max_length=64)
    note = models.CharField(_("note"), max_length=500, blank=True)
    requested_at = models.DateTimeField(_("requested"))
    phone_given_at = models.DateTimeField(_("phone given"), db_index=True)
    credit_from = models.DateTimeField(_("credit counts from"))
    window_start = models.DateTimeField(_("window start"), null=True, blank=True)
    window_end = models.DateTimeField(_("window end"), null=True, blank=True)
    due_at = models.DateTimeField(_("due"))
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    status = models.CharField(_("status"), max_length=MAX_CODE, choices=partial(choices_of, CallbackStatus))
    # What it was before it was claimed, and is again once released.
    waited_as = models.CharField(
        max_length=MAX_CODE, choices=partial(choices_of, CallbackStatus), blank=True, editable=False
    )
    last_outcome = models.CharField(
        _("last outcome"), max_length=MAX_CODE, choices=partial(choices_of, CallOutcome), blank=True
    )
    preferred_agent = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    erased_at = models.DateTimeField(_("contact erased"), null=True, blank=True, editable=False)
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("agent")
    )
    claim_expires_at = models.DateTimeField(_("claim expires"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    close_reason = models.CharField(
        _("close reason"), max_length=MAX_CODE, choices=partial(choices_of, CloseReason), blank=True
    )

    objects = CallbackQuerySet.as_manager()

    class Meta:
        verbose_name = _("callback request")
        verbose_name_plural = _("callback requests")
        permissions = [
            ("work_callbacks", _("Can claim and close callback requests")),
            ("reassign_callbacks", _("Can hand callback requests to any agent, and close them")),
            ("erase_contact", _("Can erase contact data")),
            ("view_reports", _("Can see the reports of the callback desk")),
        ]
        constraints = [
            # It names those that are open: which they are is what it promises. A status that is not open is not in it.
            models.UniqueConstraint(
                fields=["subscription"],
                condition=Q(status__in=[status.value for status in OPEN_STATUSES]),
                name="one_open_callback_per_subscription",
            ),
            models.CheckConstraint(
                condition=Q(window_start=None, window_end=None) | Q(window_start__lt=F("window_end")),
                name="callback_window_is_forward",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "due_at"], name="callback_by_due"),
            models.Index(fields=["window_start"], name="callback_by_window"),
            # The queue in its order: what is open has no closed_at, which both databases look up like a value.
            models.Index(fields=["closed_at", "due_at", "requested_at", "id"], name="callback_queue"),
            models.Index(
                fields=["preferred_agent", "closed_at", "due_at", "requested_at", "id"],
                condition=Q(preferred_agent__isnull=False),
                name="callback_by_preference",
            ),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def number_is_wrong(self) -> bool:
        """Whether it rests until another number is given."""
        return bool(self.last_outcome) and CallOutcome(self.last_outcome).follows.number_is_wrong

    def is_claimed(self, now: datetime) -> bool:
        """Whether an agent holds it: a claim that ran out does not count."""
        return self.claimed_by_id is not None and self.claim_expires_at is not None and self.claim_expires_at > now


class CallbackAttempt(models.Model):
    """One time that an agent dialed, or gave the request back. Written once; only its note is erased in time."""

    request = models.ForeignKey(CallbackRequest, models.PROTECT, related_name="log", verbose_name=_("callback request"))
    number = models.PositiveSmallIntegerField(_("number"))
    agent = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("agent")
    )
    started_at = models.DateTimeField(_("started"))
    ended_at = models.DateTimeField(_("ended"))
    outcome = models.CharField(_("outcome"), max_length=MAX_CODE, choices=partial(choices_of, CallOutcome))
    note = models.CharField(_("note"), max_length=500, blank=True)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    counts = models.BooleanField(_("counts"))

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        constraints = [models.UniqueConstraint(fields=["request", "number"], name="one_attempt_per_number")]

    def __str__(self) -> str:
        return f"{self.number}. {self.get_outcome_display()}"


class OptOut(models.Model):
    """A number that asked not to be called, as a keyed hash of tenant and number: other tenants learn nothing.

    ``key_id``: whose key it is, for whoever wants to retire one; it is looked up under each. Empty where the version before
    wrote it, which knew one key.
    """

    digest = models.CharField(max_length=64, unique=True)
    key_id = models.CharField(max_length=8, default="", db_default="", editable=False)
    asked_at = models.DateTimeField(_("asked"))

    class Meta:
        verbose_name = _("number not to be called")
        verbose_name_plural = _("numbers not to be called")
