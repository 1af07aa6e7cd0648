"""Who is calling, and their tenants."""

from __future__ import annotations

from enum import Enum
from typing import cast

import strawberry
import strawberry_django
from strawberry import auto

from common.public_ids import Kind
from portal.graphql.types.connections import After, First, Page, PageInfo, make_cursor, read_cursor
from portal.graphql.types.node import Node, make_id
from subscriptions.selectors.lists import visible
from tenants import callers, models

_KINDS = {
    callers.CallerKind.PERSON: Kind.PERSON,
    callers.CallerKind.VOUCHED: Kind.VOUCHED_PERSON,
    callers.CallerKind.PARTNER: Kind.TOKEN,
}


@strawberry.enum(description="Who can call.")
class ViewerKind(Enum):
    PERSON = strawberry.enum_value("PERSON", description="Somebody who signed in, or whom a host vouches for.")
    PARTNER = strawberry.enum_value("PARTNER", description="A program with a partner's token.")


@strawberry_django.type(models.Tenant, description="A customer: one business account.")
class Tenant(Node):
    name: auto = strawberry.field(description="To show.")
    domain: auto = strawberry.field(description="The domain that it is known by.")
    time_zone: auto = strawberry.field(description="IANA name of the zone in which its days are counted.")
    language: str = strawberry.field(
        description="The code of the language of its mail, where a person has none of their own."
    )

    @strawberry.field(description="What the host calls it. Null when no system of record named it.")
    def external_id(self) -> str | None:  # resolved on the model's own instances
        named = cast(models.Tenant, self).external_id
        return named or None

    @strawberry.field(description="Opaque, and the same for everybody who may see it.")
    def id(self) -> strawberry.ID:  # resolved on the model's own instances, which are no Node
        return make_id(Kind.TENANT, self.pk)  # type: ignore[attr-defined]


@strawberry.type(description="A tenant that the caller sees, and what they are there.")
class ViewerTenant:
    tenant: Tenant = strawberry.field(description="One that the caller sees.")
    role: callers.Role | None = strawberry.field(
        description="The person's role. Null for a token, whose scopes count everywhere."
    )


@strawberry.type(description="One tenant of a page.")
class ViewerTenantEdge:
    node: ViewerTenant = strawberry.field(description="The tenant.")
    cursor: str = strawberry.field(description="For after.")


@strawberry.type(description="A page of tenants.")
class ViewerTenantConnection:
    caller: strawberry.Private[callers.Caller]
    edges: list[ViewerTenantEdge] = strawberry.field(description="The tenants of this page.")
    page_info: PageInfo = strawberry.field(description="How to go on.")

    @strawberry.field(description="How many there are on all pages.")
    def total_count(self) -> int:
        return models.Tenant.objects.count() if self.caller.reaches_all else len(self.caller.visible_tenant_ids)


@strawberry.type(description="Who is calling.")
class Viewer:
    caller: strawberry.Private[callers.Caller]

    @strawberry.field(description="Of the person or the token.")
    def id(self) -> strawberry.ID:  # a Viewer is no Node
        return make_id(_KINDS[self.caller.kind], self.caller.id)

    @strawberry.field(description="To show.")
    def display_name(self) -> str:
        return self.caller.name

    @strawberry.field(description="Of a person. Null for a token, and where there is none.")
    def email(self) -> str | None:
        return self.caller.email or None

    @strawberry.field(description="Of a person, to fill in for a call. Null for a token, and where there is none.")
    def phone(self) -> str | None:
        return self.caller.phone or None

    @strawberry.field(description="A person or a partner's token.")
    def kind(self) -> ViewerKind:
        return ViewerKind.PERSON if self.caller.is_person else ViewerKind.PARTNER

    @strawberry.field(description="PARTNER: what the token may do. PERSON: empty, see role.")
    def scopes(self) -> list[callers.Scope]:
        return sorted(self.caller.scopes)

    @strawberry.field(description="The tenants that the caller sees.")
    def tenants(
        self,
        first: First = 20,
        after: After = strawberry.UNSET,
    ) -> ViewerTenantConnection:
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
