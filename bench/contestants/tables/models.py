"""The columns that the reads need, over Wayout's own tables."""

from __future__ import annotations

import hashlib

from django.db import models
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone


class Tenant(models.Model):
    class Meta:
        managed = False
        db_table = "tenants_tenant"


class PartnerToken(models.Model):
    digest = models.CharField(max_length=64)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    tenants = models.ManyToManyField(Tenant, db_table="tenants_partnertoken_tenants")

    class Meta:
        managed = False
        db_table = "tenants_partnertoken"


class Plan(models.Model):
    name = models.CharField(max_length=200)
    part_number = models.CharField(max_length=100)

    class Meta:
        managed = False
        db_table = "subscriptions_plan"


class Subscription(models.Model):
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    plan = models.ForeignKey(Plan, models.PROTECT)
    base_status = models.CharField(max_length=20)
    purchased_licenses = models.PositiveIntegerField()

    class Meta:
        managed = False
        db_table = "subscriptions_subscription"


class DirectoryUser(models.Model):
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "subscriptions_directoryuser"


class License(models.Model):
    subscription = models.ForeignKey(Subscription, models.PROTECT, related_name="licenses")
    user = models.ForeignKey(DirectoryUser, models.PROTECT)
    is_direct = models.BooleanField()
    is_inherited = models.BooleanField()

    class Meta:
        managed = False
        db_table = "subscriptions_license"


HELD = (Q(licenses__is_direct=True) | Q(licenses__is_inherited=True)) & Q(licenses__user__deleted_at=None)


def tenants_of(request: HttpRequest) -> list[int]:
    """The tenants of the bearer's token."""
    digest = hashlib.sha256(request.headers["Authorization"][7:].encode()).hexdigest()
    alive = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    token = PartnerToken.objects.get(alive, digest=digest, revoked_at=None)
    return list(token.tenants.values_list("pk", flat=True))
