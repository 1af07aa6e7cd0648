"""graphene-django, in its own environment, with its query written by hand as well as one can."""

from __future__ import annotations

import graphene
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from graphene_django import DjangoObjectType
from graphene_django.views import GraphQLView

from bench.baselines.tables import models
from bench.baselines.tables.reads import ASSIGNED, BY_GROUP, HAS_METHOD, caller_of, decided


def _key(name):
    return lambda self, info: self[name]


class Option(graphene.ObjectType):
    route = graphene.NonNull(graphene.String)
    available = graphene.NonNull(graphene.Boolean)
    reason = graphene.NonNull(graphene.String)
    users_to_remove = graphene.Int(resolver=_key("usersToRemove"))


class Facts(graphene.ObjectType):
    is_trial = graphene.NonNull(graphene.Boolean, resolver=_key("isTrial"))
    has_payment_method = graphene.Boolean(resolver=_key("hasPaymentMethod"))
    purchased_licenses = graphene.NonNull(graphene.Int, resolver=_key("purchasedLicenses"))
    assigned_licenses = graphene.NonNull(graphene.Int, resolver=_key("assignedLicenses"))
    group_assigned_licenses = graphene.NonNull(graphene.Int, resolver=_key("groupAssignedLicenses"))
    online_license_limit = graphene.NonNull(graphene.Int, resolver=_key("onlineLicenseLimit"))
    limit_is_inclusive = graphene.NonNull(graphene.Boolean, resolver=_key("limitIsInclusive"))
    policy_name = graphene.NonNull(graphene.String, resolver=_key("policyName"))
    policy_version = graphene.NonNull(graphene.Int, resolver=_key("policyVersion"))


class Options(graphene.ObjectType):
    route = graphene.NonNull(graphene.String)
    can_act = graphene.NonNull(graphene.Boolean, resolver=_key("canAct"))
    facts = graphene.NonNull(Facts)
    options = graphene.NonNull(graphene.List(graphene.NonNull(Option)))


class Tenant(DjangoObjectType):
    class Meta:
        model = models.Tenant
        fields = ("name", "time_zone")

    id = graphene.NonNull(graphene.ID)

    def resolve_id(self, info):
        return f"ten_{self.pk}"


class ProductSubscription(DjangoObjectType):
    class Meta:
        model = models.Subscription
        fields = ("tenant", "is_trial", "purchased_licenses", "term_months")

    id = graphene.NonNull(graphene.ID)
    name = graphene.NonNull(graphene.String)
    status = graphene.NonNull(graphene.String)
    assigned_licenses = graphene.NonNull(graphene.Int)
    cancellation_options = graphene.NonNull(Options)

    def resolve_id(self, info):
        return f"sub_{self.pk}"

    def resolve_name(self, info):
        return self.plan.name or self.plan.part_number

    def resolve_status(self, info):
        return self.base_status

    def resolve_assigned_licenses(self, info):
        return self.assigned

    def resolve_cancellation_options(self, info):
        return decided(self, caller_of(info.context))


class Query(graphene.ObjectType):
    subscriptions = graphene.NonNull(graphene.List(graphene.NonNull(ProductSubscription)), first=graphene.Int())
    cancellation_options = graphene.Field(Options, subscription_id=graphene.ID(required=True))

    def resolve_subscriptions(self, info, first=20):
        return _rows(info).select_related("plan", "tenant").order_by("-pk")[:first]

    def resolve_cancellation_options(self, info, subscription_id):
        found = _rows(info).filter(pk=int(subscription_id[4:])).first()
        return decided(found, caller_of(info.context)) if found else None


def _rows(info):
    rows = models.Subscription.objects.filter(tenant__in=caller_of(info.context).tenants)
    counted = rows.annotate(assigned=ASSIGNED, by_group=BY_GROUP, has_method=HAS_METHOD)
    return counted.select_related("agreement__account")


urlpatterns = [path("graphql/", csrf_exempt(GraphQLView.as_view(schema=graphene.Schema(query=Query))))]
