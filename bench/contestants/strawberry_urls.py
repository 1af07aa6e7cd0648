"""Stock strawberry-django: types over models, the optimizer, both caches, its own view."""

from __future__ import annotations

from typing import Any

import strawberry
import strawberry_django
from django.db.models import Count
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from strawberry.django.views import GraphQLView
from strawberry.extensions import ParserCache, ValidationCache
from strawberry_django.optimizer import DjangoOptimizerExtension

from bench.contestants.rules import decide
from bench.contestants.tables import models
from bench.contestants.tables.models import HELD, tenants_of


@strawberry.type
class Option:
    route: str
    available: bool
    reason: str
    users_to_remove: int | None


@strawberry.type
class Options:
    route: str
    options: list[Option]

    @classmethod
    def of(cls, assigned: int) -> Options:
        decided = decide(assigned)
        made = [
            Option(route=o["route"], available=o["available"], reason=o["reason"], users_to_remove=o["usersToRemove"])
            for o in decided["options"]
        ]
        return cls(route=decided["route"], options=made)


@strawberry_django.type(models.Plan)
class Plan:
    name: strawberry.auto
    part_number: strawberry.auto


@strawberry_django.type(models.Subscription)
class ProductSubscription:
    purchased_licenses: strawberry.auto
    assigned_licenses: int = strawberry_django.field(annotate={"assigned_licenses": Count("licenses", filter=HELD)})

    @strawberry_django.field(only=["id"])
    def id(self) -> strawberry.ID:
        return strawberry.ID(f"sub_{self.pk}")  # type: ignore[attr-defined]

    @strawberry_django.field(select_related=["plan"], only=["plan__name", "plan__part_number"])
    def name(self) -> str:
        return self.plan.name or self.plan.part_number  # type: ignore[attr-defined]

    @strawberry_django.field(only=["base_status"])
    def status(self) -> str:
        return self.base_status  # type: ignore[attr-defined, no-any-return]

    @strawberry_django.field(annotate={"_assigned": Count("licenses", filter=HELD)})
    def cancellation_options(self) -> Options:
        return Options.of(self._assigned)  # type: ignore[attr-defined]


@strawberry.type
class Query:
    @strawberry_django.field
    def subscriptions(self, info: strawberry.Info, first: int = 20) -> list[ProductSubscription]:
        rows = models.Subscription.objects.filter(tenant__in=tenants_of(info.context.request))
        return rows.order_by("-pk")[:first]  # type: ignore[return-value]

    @strawberry_django.field
    def cancellation_options(self, info: strawberry.Info, subscription_id: strawberry.ID) -> Options | None:
        rows = models.Subscription.objects.filter(tenant__in=tenants_of(info.context.request))
        counted = rows.annotate(_assigned=Count("licenses", filter=HELD))
        found: Any = counted.only("id").filter(pk=int(subscription_id[4:])).first()
        return Options.of(found._assigned) if found else None


schema = strawberry.Schema(
    query=Query, extensions=[DjangoOptimizerExtension, lambda: ParserCache(), lambda: ValidationCache()]
)
urlpatterns = [path("graphql/", csrf_exempt(GraphQLView.as_view(schema=schema, graphql_ide=None)))]
