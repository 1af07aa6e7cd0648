"""The columns that the reads need, over Wayout's own tables."""

from __future__ import annotations

from django.db import models


class Tenant(models.Model):
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64)

    class Meta:
        managed = False
        db_table = "tenants_tenant"


class PartnerToken(models.Model):
    digest = models.CharField(max_length=64)
    scopes = models.JSONField()
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    tenants = models.ManyToManyField(Tenant, db_table="tenants_partnertoken_tenants")

    class Meta:
        managed = False
        db_table = "tenants_partnertoken"


class Policy(models.Model):
    tenant = models.ForeignKey(Tenant, models.PROTECT, null=True)
    name = models.CharField(max_length=100)
    version = models.PositiveIntegerField()
    in_force = models.BooleanField()
    online_license_limit = models.PositiveIntegerField()
    limit_is_inclusive = models.BooleanField()

    class Meta:
        managed = False
        db_table = "subscriptions_cancellationpolicy"


class BillingAccount(models.Model):
    payment_methods_known = models.BooleanField()

    class Meta:
        managed = False
        db_table = "billing_billingaccount"


class PaymentMethod(models.Model):
    account = models.ForeignKey(BillingAccount, models.PROTECT)
    is_active = models.BooleanField()

    class Meta:
        managed = False
        db_table = "billing_paymentmethod"


class Agreement(models.Model):
    account = models.ForeignKey(BillingAccount, models.PROTECT)

    class Meta:
        managed = False
        db_table = "billing_agreement"


class Plan(models.Model):
    name = models.CharField(max_length=200)
    part_number = models.CharField(max_length=100)

    class Meta:
        managed = False
        db_table = "subscriptions_plan"


class Subscription(models.Model):
    tenant = models.ForeignKey(Tenant, models.PROTECT)
    plan = models.ForeignKey(Plan, models.PROTECT)
    agreement = models.ForeignKey(Agreement, models.PROTECT)
    base_status = models.CharField(max_length=20)
    is_trial = models.BooleanField()
    purchased_licenses = models.PositiveIntegerField()
    term_months = models.PositiveSmallIntegerField(null=True)

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
