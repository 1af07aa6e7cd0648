"""Who is told of what, and whether they heard."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.languages import DEFAULT_LANGUAGE, MAX_LANGUAGE, language_choices
from tenants.models import Tenant


class DeliveryStatus(StrEnum):
    """WAITING until the receiver said 2xx; FAILED after days of being refused, until somebody sends it again."""

    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class Endpoint(models.Model):
    """An address of a partner. ``secrets`` has its secret by ``salt``, encrypted: see signing.py.

    ``retry_at``: the receiver is down; nothing but one probe is sent from then on. ``failing_since``: nothing
    arrived since; after three days it is disabled, and what is waiting is kept for it.
    """

    partner = models.CharField(_("partner"), max_length=16, db_index=True, editable=False)
    url = models.CharField(_("address"), max_length=500)
    events = models.JSONField(_("events"), default=list, blank=True, help_text=_("None chosen: all of them."))
    contact_email = models.EmailField(_("who hears when we stop sending"), blank=True)
    language = models.CharField(
        _("language"), max_length=MAX_LANGUAGE, choices=language_choices, default=DEFAULT_LANGUAGE
    )
    salt = models.CharField(max_length=32, editable=False)
    previous_salt = models.CharField(max_length=32, blank=True, editable=False)
    secrets = models.JSONField(default=dict, db_default={}, editable=False)
    previous_until = models.DateTimeField(_("old secret signs along until"), null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True, editable=False)
    retry_at = models.DateTimeField(_("next attempt"), null=True, blank=True, editable=False)
    disabled_at = models.DateTimeField(_("disabled"), null=True, blank=True, editable=False)
    last_problem = models.CharField(_("last failure"), max_length=100, blank=True, editable=False)
    delivered_at = models.DateTimeField(_("last delivery"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")
        constraints = [models.UniqueConstraint(fields=["partner", "url"], name="one_endpoint_per_partner_and_address")]

    def __str__(self) -> str:
        return self.url

    def wants(self, event_type: str) -> bool:
        """Whether it is told of events of this type."""
        return not self.events or event_type in self.events


class Stream(models.Model):
    """How many events there were about one thing: what the next one's version is one more than."""

    subject = models.CharField(max_length=40, primary_key=True)
    version = models.PositiveBigIntegerField(default=0)


class Event(models.Model):
    """One thing that happened, as it was then. ``message_id`` is what receivers know it by, ``key`` what it is once.

    ``version`` grows by one with every event about the same subject: whoever has seen a later one ignores it.
    ``position`` is its place in the feed, given after the commit (feed.py): without a gap, and final.
    """

    message_id = models.CharField(_("id"), max_length=40, unique=True)
    key = models.CharField(max_length=100, unique=True, editable=False)
    type = models.CharField(_("event"), max_length=40)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="+", verbose_name=_("tenant"))
    subject = models.CharField(_("subject"), max_length=40)
    version = models.PositiveBigIntegerField(_("version"))
    at = models.DateTimeField(_("when"), db_index=True)
    data = models.JSONField(_("what"))
    position = models.PositiveBigIntegerField(unique=True, null=True, editable=False)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [models.UniqueConstraint(fields=["subject", "version"], name="one_event_per_version")]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(position=None), name="event_without_position"),
            models.Index(fields=["tenant", "position"], name="feed_of_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id}"


class FeedHead(models.Model):
    """The end of the feed, and up to where something was forgotten. One row; locking it puts who moves them in a row."""

    position = models.PositiveBigIntegerField(default=0, db_default=0)
    forgotten = models.PositiveBigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="one_feed_head"),
            models.CheckConstraint(
                condition=models.Q(forgotten__lte=models.F("position")), name="feed_forgets_what_it_had"
            ),
        ]


class Delivery(models.Model):
    """An event on its way to an endpoint."""

    STATUS_CHOICES: ClassVar = [
        (DeliveryStatus.WAITING.value, _("waiting")),
        (DeliveryStatus.DELIVERED.value, _("delivered")),
        (DeliveryStatus.FAILED.value, _("given up")),
    ]

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="deliveries", verbose_name=_("endpoint"))
    event = models.ForeignKey(Event, models.CASCADE, related_name="deliveries", verbose_name=_("event"))
    status = models.CharField(_("status"), max_length=9, choices=STATUS_CHOICES, default=DeliveryStatus.WAITING.value)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    problem = models.CharField(_("last failure"), max_length=100, blank=True)
    tried_at = models.DateTimeField(_("last attempt"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event"], name="one_delivery_per_endpoint_and_event")
        ]
        indexes = [models.Index(fields=["endpoint", "status", "id"], name="delivery_by_status")]

    def __str__(self) -> str:
        return f"{self.event} → {self.endpoint}"
