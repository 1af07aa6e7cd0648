"""Stock strawberry-django: types over models, the optimizer, both caches, its own view."""

from __future__ import annotations

from typing import Any

import strawberry
import strawberry_django
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from strawberry.django.views import GraphQLView
from strawberry.extensions import ParserCache, ValidationCache
from strawberry_django.optimizer import DjangoOptimizerExtension

from bench.baselines.tables import models
from bench.baselines.tables.reads import ASSIGNED, BY_GROUP, HAS_METHOD, Caller, caller_of, decided

COUNTED = {"assigned": ASSIGNED, "by_group": BY_GROUP, "has_method": HAS_METHOD}


@strawberry.type
class Option:
    route: str
    available: bool
    reason: str
    users_to_remove: int | None


@strawberry.type
class Facts:
    is_trial: bool
    has_payment_method: bool | None
    purchased_licenses: int
    assigned_licenses: int
    group_assigned_licenses: int
    online_license_limit: int
    limit_is_inclusive: bool
    policy_name: str
    policy_version: int


@strawberry.type
class Options:
    route: str
    can_act: bool
    facts: Facts
    options: list[Option]

    @classmethod
    def of(cls, row: Any, caller: Caller) -> Options:
        found = decided(row, caller)
        facts = found["facts"]
        return cls(
            route=found["route"],
            can_act=found["canAct"],
            facts=Facts(
                is_trial=facts["isTrial"],
                has_payment_method=facts["hasPaymentMethod"],
                purchased_licenses=facts["purchasedLicenses"],
                assigned_licenses=facts["assignedLicenses"],
                group_assigned_licenses=facts["groupAssignedLicenses"],
                online_license_limit=facts["onlineLicenseLimit"],
                limit_is_inclusive=facts["limitIsInclusive"],
                policy_name=facts["policyName"],
                policy_version=facts["policyVersion"],
            ),
            options=[
                Option(
                    route=option["route"],
                    available=option["available"],
                    reason=option["reason"],
                    users_to_remove=option["usersToRemove"],
                )
                for option in found["options"]
            ],
        )


@strawberry_django.type(models.Tenant)
class Tenant:
    name: strawberry.auto
    time_zone: strawberry.auto

    @strawberry_django.field(only=["id"])
    def id(self) -> strawberry.ID:
        return strawberry.ID(f"ten_{self.pk}")  # type: ignore[attr-defined]


@strawberry_django.type(models.Subscription)
class ProductSubscription:
    tenant: Tenant
    is_trial: strawberry.auto
    purchased_licenses: strawberry.auto
    term_months: strawberry.auto
    assigned_licenses: int = strawberry_django.field(annotate={"assigned_licenses": ASSIGNED})

    @strawberry_django.field(only=["id"])
    def id(self) -> strawberry.ID:
        return strawberry.ID(f"sub_{self.pk}")  # type: ignore[attr-defined]

    @strawberry_django.field(select_related=["plan"], only=["plan__name", "plan__part_number"])
    def name(self) -> str:
        return self.plan.name or self.plan.part_number  # type: ignore[attr-defined]

    @strawberry_django.field(only=["base_status"])
    def status(self) -> str:
        return self.base_status  # type: ignore[attr-defined, no-any-return]

    @strawberry_django.field(
        annotate=COUNTED,
        select_related=["agreement__account"],
        only=["tenant_id", "is_trial", "purchased_licenses", "agreement__account__payment_methods_known"],
    )
    def cancellation_options(self, info: strawberry.Info) -> Options:
        return Options.of(self, caller_of(info.context.request))


@strawberry.type
class Query:
    @strawberry_django.field
    def subscriptions(self, info: strawberry.Info, first: int = 20) -> list[ProductSubscription]:
        rows = models.Subscription.objects.filter(tenant__in=caller_of(info.context.request).tenants)
        return rows.order_by("-pk")[:first]  # type: ignore[return-value]

    @strawberry_django.field
    def cancellation_options(self, info: strawberry.Info, subscription_id: strawberry.ID) -> Options | None:
        caller = caller_of(info.context.request)
        rows = models.Subscription.objects.filter(tenant__in=caller.tenants, pk=int(subscription_id[4:]))
        found = rows.select_related("agreement__account").annotate(**COUNTED).first()
        return Options.of(found, caller) if found else None


schema = strawberry.Schema(
    query=Query, extensions=[DjangoOptimizerExtension, lambda: ParserCache(), lambda: ValidationCache()]
)
urlpatterns = [path("graphql/", csrf_exempt(GraphQLView.as_view(schema=schema, graphql_ide=None)))]
