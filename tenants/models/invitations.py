"""Invitations: what there is of somebody before they have an account, or a role in a tenant."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from common.codes import N_, CodeTable
from common.languages import MAX_LANGUAGE, language_choices
from common.names import validate_plain
from tenants.models.roles import ROLE_CHOICES


class InvitationStatus(CodeTable):
    """What became of an invitation; none is stored, each follows from what is."""

    label: str

    WAITING = "WAITING", N_("waiting")
    ACCEPTED = "ACCEPTED", N_("accepted")
    WITHDRAWN = "WITHDRAWN", N_("withdrawn")
    EXPIRED = "EXPIRED", N_("expired")


class Invitation(models.Model):
    """Somebody is to have a role in a tenant. ``digest``: of the link, which exists from when it is mailed."""

    tenant = models.ForeignKey("tenants.Tenant", models.PROTECT, related_name="invitations", verbose_name=_("tenant"))
    email = models.EmailField(_("email address"), validators=[validate_plain])
    first_name = models.CharField(_("first name"), max_length=150, blank=True)
    last_name = models.CharField(_("last name"), max_length=150, blank=True)
    role = models.CharField(_("role"), max_length=16, choices=ROLE_CHOICES)
    language = models.CharField(_("language"), max_length=MAX_LANGUAGE, choices=language_choices)
    digest = models.CharField(max_length=64, unique=True, null=True, editable=False)
    # How many mails were asked for.
    sends = models.PositiveSmallIntegerField(default=1, editable=False)
    invited_by = models.ForeignKey("tenants.User", models.SET_NULL, null=True, related_name="+", editable=False)
    accepted_by = models.ForeignKey("tenants.User", models.SET_NULL, null=True, related_name="+", editable=False)
    created_at = models.DateTimeField(_("made"), editable=False)
    expires_at = models.DateTimeField(_("expires"), db_index=True, editable=False)
    accepted_at = models.DateTimeField(_("accepted"), null=True, editable=False)
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, editable=False)

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        default_permissions = ()
        permissions = [("invite_admin", _("Can invite people to tenants, and withdraw invitations"))]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(accepted_at=None) | models.Q(withdrawn_at=None), name="invitation_ends_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} · {self.get_role_display()}"

    def status_at(self, now: datetime) -> InvitationStatus:
        if self.accepted_at:
            return InvitationStatus.ACCEPTED
        if self.withdrawn_at:
            return InvitationStatus.WITHDRAWN
        return InvitationStatus.WAITING if now < self.expires_at else InvitationStatus.EXPIRED
