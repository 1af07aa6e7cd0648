"""Who is who, and what was done: people, tenants, memberships, partner tokens, the audit trail."""

from __future__ import annotations

import logging
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.contrib.auth.models import AbstractUser
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Cast
from django.db.models.lookups import Contains
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from common.fields import SearchKeyField
from common.languages import DEFAULT_LANGUAGE, MAX_LANGUAGE, language_choices
from common.names import LowerAscii, SameName, validate_plain
from tenants.callers import EXCLUDES, Role, Scope
from tenants.models.invitations import Invitation as Invitation
from tenants.models.roles import ROLE_CHOICES
from tenants.models.trail import AuditEvent as AuditEvent
from tenants.models.trail import AuditHead as AuditHead
from tenants.models.trail import AuditPersonalData as AuditPersonalData
from tenants.models.trail import InstallationAuditHead as InstallationAuditHead
from tenants.models.vouching import PortalSession as PortalSession
from tenants.models.vouching import VouchedPerson as VouchedPerson

logger = logging.getLogger("wayout.tenants")


def validate_time_zone(name: str) -> None:
    """Raise ValidationError unless ``name`` is an IANA time zone."""
    if name not in available_timezones():
        raise ValidationError(
            _("“%(name)s” is not an IANA time zone, for example Europe/Sofia."), params={"name": name}
        )


class User(AbstractUser):
    """A person who signs in: an admin of tenants, a staff member, or both."""

    username = models.CharField(
        _("username"), max_length=150, unique=True, validators=[UnicodeUsernameValidator(), validate_plain]
    )
    email = models.EmailField(_("email address"), blank=True, validators=[validate_plain])
    language = models.CharField(_("language"), max_length=MAX_LANGUAGE, choices=language_choices, blank=True)
    phone = models.CharField(_("phone"), max_length=20, blank=True)

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        permissions = [("reset_second_factor", _("Can reset the second factor of people who may do no more"))]
        constraints = [
            models.UniqueConstraint(
                LowerAscii("email"),
                condition=models.Q(is_active=True) & ~models.Q(email=""),
                name="one_active_person_per_address",
                violation_error_message=_("Another active person has this email address."),
            )
        ]

    @property
    def display_name(self) -> str:
        """What other people see."""
        return self.get_full_name() or self.username


for _field in User._meta.fields:
    if _field.name in ("username", "email"):
        _field.register_lookup(SameName)


class UsedCode(models.Model):
    """A code or link that was used, by its hash, for as long as it could be good once more."""

    digest = models.CharField(max_length=64, primary_key=True)
    until = models.DateTimeField(db_index=True)


class SignIn(models.Model):
    """A session as its person finds it in a list: when and in which browser. What the session holds is Django's."""

    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True)
    began_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    browser = models.CharField(max_length=60, blank=True)


class Removals(StrEnum):
    """Who carries out that users lose their licenses: nobody has to, the host, or a connection to the directory."""

    LOCAL = "LOCAL"
    HOST = "HOST"
    CONNECTION = "CONNECTION"


class Tenant(models.Model):
    """A business account: the customer."""

    REMOVALS_CHOICES: ClassVar = [
        (Removals.LOCAL.value, _("nobody has to: a license is removed at once")),
        (Removals.HOST.value, _("the host, which confirms each")),
        (Removals.CONNECTION.value, _("a connection to the directory")),
    ]

    external_id = models.CharField(
        _("customer id"), max_length=100, blank=True, default="", db_default="", help_text=_("What the host calls it.")
    )
    name = models.CharField(_("name"), max_length=200)
    domain = models.CharField(_("domain"), max_length=253, unique=True)
    time_zone = models.CharField(_("time zone"), max_length=64, default="Europe/Sofia", validators=[validate_time_zone])
    language = models.CharField(
        _("language"), max_length=MAX_LANGUAGE, choices=language_choices, default=DEFAULT_LANGUAGE
    )
    phone_region = models.CharField(
        _("phone region"), max_length=2, default="BG", help_text=_("Country of phone numbers typed without a prefix.")
    )
    billing_contact_name = models.CharField(_("billing contact"), max_length=200, blank=True)
    billing_contact_email = models.EmailField(_("email of the billing contact"), blank=True)
    billing_contact_language = models.CharField(
        _("language of the billing contact"), max_length=MAX_LANGUAGE, choices=language_choices, blank=True
    )
    removals = models.CharField(
        _("who removes licenses"),
        max_length=10,
        choices=REMOVALS_CHOICES,
        default=Removals.LOCAL.value,
        db_default=Removals.LOCAL.value,
    )
    search_key = SearchKeyField(of=("name", "domain"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("tenant")
        verbose_name_plural = _("tenants")
        ordering = ("name", "pk")
        constraints = [
            models.UniqueConstraint(
                fields=["external_id"], condition=~models.Q(external_id=""), name="one_tenant_per_external_id"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        """The zone whose days count for this tenant; UTC for one that is gone from the machine's list of them.

        So no page and no periodic work fails for one tenant.
        """
        try:
            return ZoneInfo(self.time_zone)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            logger.error("tenant %s has no time zone: %r", self.pk, self.time_zone)
            return ZoneInfo("UTC")


class Membership(models.Model):
    """A person's role in a tenant."""

    ROLE_CHOICES: ClassVar = ROLE_CHOICES

    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", verbose_name=_("person"))
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="memberships", verbose_name=_("tenant"))
    role = models.CharField(_("role"), max_length=16, choices=ROLE_CHOICES)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["user", "tenant"], name="one_role_per_person_and_tenant")]

    def __str__(self) -> str:
        return f"{self.user} · {self.tenant} · {self.get_role_display()}"


def _holds(*scopes: Scope) -> models.Q:
    """Any of these, in the list as the database keeps it: text on SQLite, and jsonb on PostgreSQL."""
    text = Cast("scopes", models.TextField())
    return reduce(or_, (models.Q(Contains(text, f'"{scope}"')) for scope in scopes))


class PartnerToken(models.Model):
    """An API token of a partner. Only its SHA-256 is kept; the text is shown once, when it is made."""

    SCOPE_CHOICES: ClassVar = [
        (Scope.READ.value, _("see subscriptions")),
        (Scope.READ_USERS.value, _("see names of users")),
        (Scope.QUOTE.value, _("ask for quotes")),
        (Scope.REMOVE_USERS.value, _("remove users")),
        (Scope.CALLBACK.value, _("request callbacks")),
        (Scope.CANCEL.value, _("cancel and undo")),
        (Scope.WEBHOOKS.value, _("hear of events")),
        (Scope.EVENTS.value, _("read the feed of events")),
        (Scope.SETTLE.value, _("mark refunds as paid")),
        (Scope.SYNC.value, _("bring the facts of tenants, and say what became of removals")),
        (Scope.SCIM.value, _("bring users and groups by SCIM")),
        (Scope.SESSIONS.value, _("vouch for people")),
    ]

    name = models.CharField(_("name"), max_length=100, help_text=_("Shown as the one who acted."))
    key_id = models.CharField(_("token id"), max_length=16, unique=True, editable=False)
    # The first token's id: its successors by rotation are the same partner.
    partner = models.CharField(max_length=16, editable=False, db_index=True, default="")
    digest = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(_("scopes"), default=list)
    tenants = models.ManyToManyField(Tenant, related_name="partner_tokens", verbose_name=_("tenants"), blank=True)
    of_installation = models.BooleanField(
        _("of the whole installation"),
        default=False,
        db_default=False,
        help_text=_("Of all tenants, those to come included. Superusers make it, with an end."),
    )
    max_role = models.CharField(
        _("highest role that it may vouch for"),
        max_length=16,
        choices=Membership.ROLE_CHOICES,
        default=Role.VIEWER.value,
        db_default=Role.VIEWER.value,
    )
    return_origins = models.JSONField(
        _("where people whom it vouches for may return to"), default=list, db_default=[], blank=True
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, editable=False, related_name="+")

    class Meta:
        verbose_name = _("partner token")
        verbose_name_plural = _("partner tokens")
        constraints = [
            *(
                models.CheckConstraint(
                    condition=~(_holds(scope) & _holds(*sorted(others))), name=f"{scope.lower()}_excludes"
                )
                for scope, others in EXCLUDES.items()
            ),
            models.CheckConstraint(
                condition=models.Q(of_installation=False) | models.Q(expires_at__isnull=False),
                name="installation_tokens_end",
            ),
            models.CheckConstraint(
                condition=models.Q(of_installation=False) | ~_holds(Scope.SCIM), name="scim_is_of_a_tenant"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.key_id})"
