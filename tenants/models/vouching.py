"""People whom a host vouches for, and their short sessions: no accounts, and never linked to one."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.languages import MAX_LANGUAGE
from tenants.callers import Role

# What is written over who somebody was.
NOBODY = {"external_id": "", "name": "", "email": "", "phone": ""}


class VouchedPerson(models.Model):
    """Somebody of one tenant, as a partner calls them. ``token``: the last that vouched, whose name is said with theirs.

    Erased: without an external id, a name, an address and a number; what they did stays.
    """

    tenant = models.ForeignKey("tenants.Tenant", models.PROTECT, related_name="+", verbose_name=_("tenant"))
    partner = models.CharField(max_length=16, editable=False)
    token = models.ForeignKey("tenants.PartnerToken", models.PROTECT, related_name="+", verbose_name=_("vouched by"))
    external_id = models.CharField(_("id at the host"), max_length=255, blank=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    email = models.EmailField(_("email address"), blank=True)
    phone = models.CharField(_("phone"), max_length=20, blank=True)
    language = models.CharField(_("language"), max_length=MAX_LANGUAGE, blank=True)
    seen_at = models.DateTimeField(_("last vouched for"))

    class Meta:
        verbose_name = _("vouched person")
        verbose_name_plural = _("vouched people")
        constraints = [
            models.UniqueConstraint(
                fields=["partner", "tenant", "external_id"],
                condition=~models.Q(external_id=""),
                name="one_vouched_person_per_external_id",
            )
        ]
        indexes = [
            models.Index(fields=["seen_at"], condition=~models.Q(external_id=""), name="vouched_person_by_time"),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        """The name with who vouches for it, in the active language."""
        values = {"name": self.name or gettext("somebody"), "partner": self.token.name}
        return gettext("%(name)s, vouched for by %(partner)s") % values


class PortalSession(models.Model):
    """What one call of createPortalSession made. Works while its token does, and no longer than an hour.

    ``nonce``: what the texts of the access token and of the one-time address are made from, with the installation's key
    (vouching.py). The rows have hashes: ``digest`` of the access token, ``code_digest`` of the address, ``page_digest``
    of the cookie that the hosted page got for the address.
    """

    ROLE_CHOICES: ClassVar = [(role.value, role.value) for role in Role]

    person = models.ForeignKey(VouchedPerson, models.CASCADE, related_name="sessions", verbose_name=_("person"))
    token = models.ForeignKey("tenants.PartnerToken", models.PROTECT, related_name="+", verbose_name=_("vouched by"))
    role = models.CharField(_("role"), max_length=16, choices=ROLE_CHOICES)
    nonce = models.CharField(max_length=40, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    code_digest = models.CharField(max_length=64, unique=True, editable=False)
    page_digest = models.CharField(max_length=64, unique=True, null=True, editable=False)
    return_url = models.CharField(max_length=2_000, blank=True)
    subscription_external_id = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(_("made"))
    expires_at = models.DateTimeField(_("expires"), db_index=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("portal session")
        verbose_name_plural = _("portal sessions")

    def __str__(self) -> str:
        return f"{self.person_id} · {self.role}"
