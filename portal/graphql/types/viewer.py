"""Who is calling, and their tenants."""

from __future__ import annotations

from enum import Enum
from typing import cast

import strawberry
import strawberry_django
from strawberry import auto

from common.public_ids import Kind
from portal.graphql.types.connections import Page, PageInfo, make_cursor, read_cursor
from portal.graphql.types.node import Node, make_id
from subscriptions.selectors.lists import visible
from tenants import callers, models


@strawberry.enum
class ViewerKind(Enum):
    PERSON = "PERSON"
    PARTNER = "PARTNER"


@strawberry_django.type(models.Tenant)
class Tenant(Node):
    name: auto
    domain: auto
    time_zone: auto
    language: str

    @strawberry.field
    def id(self) -> strawberry.ID:  # resolved on the model's own instances, which are no Node
        return make_id(Kind.TENANT, self.pk)  # type: ignore[attr-defined]


@strawberry.type
class ViewerTenant:
    tenant: Tenant
    role: callers.Role | None


@strawberry.type
class ViewerTenantEdge:
    node: ViewerTenant
    cursor: str


@strawberry.type
class ViewerTenantConnection:
    caller: strawberry.Private[callers.Caller]
    edges: list[ViewerTenantEdge]
    page_info: PageInfo

    @strawberry.field
    def total_count(self) -> int:
        return len(self.caller.visible_tenant_ids)


@strawberry.type
class Viewer:
    caller: strawberry.Private[callers.Caller]

    @strawberry.field
    def id(self) -> strawberry.ID:  # a Viewer is no Node
        kind = Kind.PERSON if self.caller.kind is callers.CallerKind.PERSON else Kind.TOKEN
        return make_id(kind, self.caller.id)

    @strawberry.field
    def display_name(self) -> str:
        return self.caller.name

    @strawberry.field
    def email(self) -> str | None:
        return self.caller.email or None

    @strawberry.field
    def phone(self) -> str | None:
        return self.caller.phone or None

    @strawberry.field
    def kind(self) -> ViewerKind:
        return ViewerKind(self.caller.kind.value)

    @strawberry.field(description="PARTNER: what the token may do. PERSON: empty, see role.")
    def scopes(self) -> list[callers.Scope]:
        return sorted(self.caller.scopes)

    @strawberry.field
    def tenants(self, first: int = 20, after: str | None = strawberry.UNSET) -> ViewerTenantConnection:
        rows = visible(models.Tenant.objects.order_by("pk"), self.caller, "pk")
        if after:
            rows = rows.filter(pk__gt=read_cursor(after, 1)[0])
        page = Page(lambda limit: rows[:limit], first, after=bool(after))
        cursors = [make_cursor(row.pk) for row in page.rows]
        nodes = [ViewerTenant(tenant=cast(Tenant, row), role=self.caller.roles.get(row.pk)) for row in page.rows]
        return ViewerTenantConnection(
            caller=self.caller,
            edges=[ViewerTenantEdge(node=node, cursor=cursor) for node, cursor in zip(nodes, cursors, strict=True)],
            page_info=page.info(cursors),
        )
