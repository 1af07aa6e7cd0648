"""The users of a tenant and the licenses they hold."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from common.fields import SearchKeyField
from subscriptions.models.plans import Subscription
from subscriptions.models.sources import FactSource
from tenants.models import Tenant


class DirectoryUser(models.Model):
    """A user in the tenant's directory: a holder of licenses, not somebody who signs in here."""

    # Its own index would be the beginning of another one's.
    tenant = models.ForeignKey(
        Tenant, models.PROTECT, related_name="directory_users", db_index=False, verbose_name=_("tenant")
    )
    principal_name = models.CharField(_("user principal name"), max_length=320)
    principal_key = models.CharField(max_length=320, editable=False)
    external_id = models.CharField(_("user id"), max_length=100, blank=True, default="", db_default="")
    display_name = models.CharField(_("display name"), max_length=320, blank=True)
    search_key = SearchKeyField(of=("display_name", "principal_name"))
    last_active_at = models.DateTimeField(_("last active"), null=True, blank=True)
    is_blocked = models.BooleanField(_("blocked"), default=False)
    deleted_at = models.DateTimeField(_("soft-deleted"), null=True, blank=True)
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

    class Meta:
        verbose_name = _("directory user")
        verbose_name_plural = _("directory users")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "principal_key"], name="one_user_per_principal_name"),
            models.UniqueConstraint(
                fields=["tenant", "external_id"], condition=~Q(external_id=""), name="one_user_per_external_id"
            ),
        ]
        # Of all rows: SQLite asks a partial index only for what the statement itself says.
        indexes = [models.Index(fields=["external_id"], name="user_by_external_id")]

    def __str__(self) -> str:
        return self.principal_name


class DirectoryGroup(models.Model):
    """A group that hands licenses to its members: of the subscriptions that it ``hands_out``, where somebody said so."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="directory_groups", verbose_name=_("tenant"))
    name = models.CharField(_("name"), max_length=256)
    external_id = models.CharField(_("group id"), max_length=100, blank=True, default="", db_default="")
    members = models.ManyToManyField(DirectoryUser, related_name="groups", blank=True, verbose_name=_("members"))
    hands_out = models.ManyToManyField(
        Subscription, related_name="handed_out_by", blank=True, verbose_name=_("licenses that it hands out")
    )
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

    class Meta:
        verbose_name = _("directory group")
        verbose_name_plural = _("directory groups")
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "name"], condition=Q(external_id=""), name="one_group_per_name_without_id"
            ),
            models.UniqueConstraint(
                fields=["tenant", "external_id"], condition=~Q(external_id=""), name="one_group_per_external_id"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class LicenseQuerySet(models.QuerySet["License"]):
    """Filters that the counts are made of."""

    def held(self) -> LicenseQuerySet:
        """Licenses that somebody holds: assigned in either way, the holder not soft-deleted."""
        return self.filter(Q(is_direct=True) | Q(is_inherited=True), user__deleted_at=None)


class License(models.Model):
    """One user's license of one subscription, direct, by groups, or both: it counts once.

    The row stays when the license is taken away; ``removed_at`` then keeps an older export from bringing
    it back. ``removed_here``: by a removal that was asked of us; a source that still assigns it later contradicts that,
    ``contradicted_at`` then, and it counts again.
    ``known_at`` is of the direct license, ``by_group_known_at`` of those by groups. ``removal_requested_at``: since when
    its removal is on its way, see removals.py.
    """

    subscription = models.ForeignKey(
        Subscription, models.PROTECT, related_name="licenses", db_index=False, verbose_name=_("subscription")
    )
    user = models.ForeignKey(DirectoryUser, models.PROTECT, related_name="licenses", verbose_name=_("user"))
    is_direct = models.BooleanField(_("direct"), default=False)
    is_inherited = models.BooleanField(_("by group"), default=False)
    groups = models.ManyToManyField(DirectoryGroup, related_name="licenses", blank=True, verbose_name=_("groups"))
    assigned_at = models.DateTimeField(_("assigned"), null=True, blank=True)
    removed_at = models.DateTimeField(_("removed"), null=True, blank=True)
    removal_requested_at = models.DateTimeField(_("removal requested"), null=True, editable=False)
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
    by_group_known_at = models.DateTimeField(null=True, editable=False)
    removed_here = models.BooleanField(default=False, db_default=False, editable=False)
    contradicted_at = models.DateTimeField(_("assigned again after its removal here"), null=True, editable=False)

    objects = LicenseQuerySet.as_manager()

    class Meta:
        verbose_name = _("license")
        verbose_name_plural = _("licenses")
        constraints = [
            models.UniqueConstraint(fields=["subscription", "user"], name="one_license_per_user_and_subscription")
        ]
        indexes = [
            models.Index(
                fields=["contradicted_at"], condition=Q(contradicted_at__isnull=False), name="license_contradicted"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.subscription}"


class LicenseTally(models.Model):
    """How many hold a license of a subscription, kept by triggers: see tallies.py and policy/facts.py."""

    subscription = models.OneToOneField(Subscription, models.CASCADE, primary_key=True, related_name="tally")
    assigned = models.IntegerField(default=0)
    removable = models.IntegerField(default=0)
    by_group = models.IntegerField(default=0)
    pending = models.IntegerField(default=0, db_default=0)
