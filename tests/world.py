"""A tenant with people, tokens and subscriptions, as rows; and a client that speaks GraphQL."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.test import Client

from billing.models import Agreement, BillingAccount, Charge, PaymentMethod
from common import rates
from subscriptions.models import DirectoryGroup, DirectoryUser, License, Plan, Subscription
from subscriptions.policy.facts import Channel
from tenants.callers import EXCLUDES, Caller, Role, Scope
from tenants.models import Membership, Tenant, User
from tenants.people import SYSTEM, caller_of_person
from tenants.tokens import create_token
from tests.builders import NOW, PERIOD

_numbers = itertools.count(1)
# All that one token may have, together.
ACTING_SCOPES = tuple(scope for scope in Scope if scope not in EXCLUDES)
PASSWORD = "correct horse battery"


@dataclass
class World:
    """One tenant and its admin; more of everything on request."""

    tenant: Tenant
    admin: User
    people: dict[str, User] = field(default_factory=dict)

    @classmethod
    def build(cls, **tenant: Any) -> World:
        number = next(_numbers)
        values = {"name": f"Contoso {number}", "domain": f"contoso{number}.example", **tenant}
        account = BillingAccount.objects.create(tenant=Tenant.objects.create(**values), payment_methods_known=True)
        PaymentMethod.objects.create(account=account, label="Visa 4242")
        world = cls(account.tenant, None)  # type: ignore[arg-type]
        world.admin = world.person(Role.GLOBAL_ADMIN)
        return world

    def person(self, role: Role | None, **given: Any) -> User:
        number = next(_numbers)
        values = {"username": f"person{number}", "first_name": "Ada", "last_name": f"Nr{number}", **given}
        user = User.objects.create_user(email=f"person{number}@contoso.example", **values)
        if role:
            Membership.objects.create(user=user, tenant=self.tenant, role=role.value)
        return user

    def caller(self, user: User | None = None) -> Caller:
        return caller_of_person(user or self.admin)

    def token(self, *scopes: Scope, tenants: Sequence[Tenant] | None = None, **given: Any) -> str:
        _, text = create_token(
            name="Partner", scopes=scopes, tenants=tenants or [self.tenant], caller=SYSTEM, now=NOW, **given
        )
        return text

    def installation_token(self, *scopes: Scope, **given: Any) -> str:
        given = {"expires_at": NOW + timedelta(days=300), **given}
        _, text = create_token(name="Host", scopes=scopes, of_installation=True, caller=SYSTEM, now=NOW, **given)
        return text

    def subscription(
        self,
        assigned: int = 10,
        *,
        by_group: int = 0,
        charged: int | None = 2000,
        plan: str | None = None,
        **given: Any,
    ) -> Subscription:
        """An active monthly subscription, November paid, with that many direct and that many group licenses."""
        number = next(_numbers)
        agreement = Agreement.objects.create(account=self.tenant.billing_account, currency="EUR")
        product, _ = Plan.objects.get_or_create(
            part_number=plan or f"PLAN{number}", defaults={"name": f"Product {number}"}
        )
        values: dict[str, Any] = {
            "purchased_licenses": 40,
            "period_start": PERIOD.start,
            "period_end": PERIOD.end,
            "anchored_at": PERIOD.start,
            "term_months": 1,
            "channel": Channel.DIRECT.value,
            **given,
        }
        subscription = Subscription.objects.create(tenant=self.tenant, plan=product, agreement=agreement, **values)
        if charged is not None:
            self.charge(subscription, charged=charged)
        self.assign(subscription, assigned)
        if by_group:
            group, _ = DirectoryGroup.objects.get_or_create(tenant=self.tenant, name="Sales")
            for license in self.assign(subscription, by_group, is_direct=False, is_inherited=True):
                license.groups.add(group)
        return subscription

    def charge(self, subscription: Subscription, **given: Any) -> Charge:
        values: dict[str, Any] = {
            "external_id": f"ch-{next(_numbers)}",
            "description": subscription.plan.display_name,
            "period_start": subscription.period_start or PERIOD.start,
            "period_end": subscription.period_end or PERIOD.end,
            "charged_at": subscription.period_start or PERIOD.start,
            "recorded_at": subscription.period_start or PERIOD.start,
            "charged": 2000,
            "currency": subscription.agreement.currency,
            **given,
        }
        values.setdefault("paid", values["charged"])
        return Charge.objects.create(agreement=subscription.agreement, **values)

    def users(self, count: int, **given: Any) -> list[DirectoryUser]:
        rows = []
        for _ in range(count):
            name = f"user{next(_numbers)}@contoso.example"
            rows.append(
                DirectoryUser(tenant=self.tenant, principal_name=name, principal_key=name, display_name=name, **given)
            )
        return DirectoryUser.objects.bulk_create(rows)

    def assign(self, subscription: Subscription, count: int, **given: Any) -> list[License]:
        values = {"is_direct": True, **given}
        return License.objects.bulk_create(
            [License(subscription=subscription, user=user, **values) for user in self.users(count)]
        )


class Api:
    """Speaks GraphQL over Django's test client, as a person or with a token."""

    def __init__(self, user: User | None = None, token: str | None = None, language: str | None = None) -> None:
        self.client = Client(raise_request_exception=False)
        if user:
            self.client.force_login(user)
        self.headers = {}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        if language:
            self.headers["Wayout-Locale"] = language

    def post(self, query: str, **variables: Any) -> Any:
        return self.client.post(
            "/graphql/",
            json.dumps({"query": query, "variables": variables}),
            content_type="application/json",
            headers=self.headers,
        )

    def __call__(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer that must not have errors."""
        body = self.raw(query, **variables)
        assert "errors" not in body, body["errors"]
        data: dict[str, Any] = body["data"]
        return data

    def raw(self, query: str, **variables: Any) -> dict[str, Any]:
        response = self.post(query, **variables)
        assert response.status_code == 200, response.content
        body: dict[str, Any] = response.json()
        return body


def later(**span: int) -> datetime:
    """An instant after the NOW of the tests."""
    return NOW + timedelta(**span)


def forget_counts() -> None:
    """Nobody has asked or tried anything yet: requests and attempts are counted in the cache, and by the process."""
    cache.clear()
    rates._limiter("").storage.reset()
