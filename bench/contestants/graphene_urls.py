"""graphene-django, in its own environment, with its query written by hand as well as one can."""

from __future__ import annotations

import graphene
from django.db.models import Count
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from graphene_django import DjangoObjectType
from graphene_django.views import GraphQLView

from bench.contestants.rules import decide
from bench.contestants.tables import models
from bench.contestants.tables.models import HELD, tenants_of


class Option(graphene.ObjectType):
    route = graphene.NonNull(graphene.String)
    available = graphene.NonNull(graphene.Boolean)
    reason = graphene.NonNull(graphene.String)
    users_to_remove = graphene.Int()

    def resolve_users_to_remove(self, info):
        return self["usersToRemove"]


class Options(graphene.ObjectType):
    route = graphene.NonNull(graphene.String)
    options = graphene.NonNull(graphene.List(graphene.NonNull(Option)))


class ProductSubscription(DjangoObjectType):
    class Meta:
        model = models.Subscription
        fields = ("purchased_licenses",)

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

    def resolve_cancellation_options(self, info):
        return decide(self.assigned_licenses)


class Query(graphene.ObjectType):
    subscriptions = graphene.NonNull(graphene.List(graphene.NonNull(ProductSubscription)), first=graphene.Int())
    cancellation_options = graphene.Field(Options, subscription_id=graphene.ID(required=True))

    def resolve_subscriptions(self, info, first=20):
        return _rows(info).select_related("plan").order_by("-pk")[:first]

    def resolve_cancellation_options(self, info, subscription_id):
        found = _rows(info).filter(pk=int(subscription_id[4:])).first()
        return decide(found.assigned_licenses) if found else None


def _rows(info):
    rows = models.Subscription.objects.filter(tenant__in=tenants_of(info.context))
    return rows.annotate(assigned_licenses=Count("licenses", filter=HELD))


urlpatterns = [path("graphql/", csrf_exempt(GraphQLView.as_view(schema=graphene.Schema(query=Query))))]
