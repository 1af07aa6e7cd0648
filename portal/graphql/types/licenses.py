"""Licenses, their holders, and taking them away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum

import strawberry
from django.db.models import F, Q, QuerySet

from common.public_ids import Kind
from portal.graphql.access import FIELDS
from portal.graphql.types.connections import Page, PageInfo, make_cursor, read_cursor, read_search
from portal.graphql.types.node import Node
from subscriptions import models
from subscriptions.selectors.lists import license_rows
from tenants.callers import Caller

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@strawberry.enum
class LicenseSource(Enum):
    DIRECT = "DIRECT"
    GROUP = "GROUP"


@strawberry.type
class DirectoryUser(Node):
    row: strawberry.Private[models.DirectoryUser]

    def public_id(self) -> tuple[Kind, int]:
        return Kind.USER, self.row.pk

    @strawberry.field
    def user_principal_name(self) -> str:
        return self.row.principal_name

    @strawberry.field
    def display_name(self) -> str:
        return self.row.display_name or self.row.principal_name

    @strawberry.field
    def last_active_at(self) -> datetime | None:
        return self.row.last_active_at

    @strawberry.field
    def is_blocked(self) -> bool:
        return self.row.is_blocked


@strawberry.type
class License(Node):
    row: strawberry.Private[models.License]

    def public_id(self) -> tuple[Kind, int]:
        return Kind.LICENSE, self.row.pk

    @strawberry.field
    def user(self) -> DirectoryUser:
        return DirectoryUser(row=self.row.user)

    @strawberry.field
    def assigned_at(self) -> datetime | None:
        return self.row.assigned_at

    @strawberry.field
    def sources(self) -> list[LicenseSource]:
        held = [(self.row.is_direct, LicenseSource.DIRECT), (self.row.is_inherited, LicenseSource.GROUP)]
        return [source for holds, source in held if holds]

    @strawberry.field
    def group_names(self) -> list[str]:
        return sorted(group.name for group in self.row.groups.all())

    @strawberry.field(description="Whether removeUsers can take it away completely.")
    def removable(self) -> bool:
        return not self.row.is_inherited


@strawberry.type
class LicenseEdge:
    node: License
    cursor: str


@strawberry.type
class LicenseConnection:
    rows: strawberry.Private[QuerySet[models.License]]
    edges: list[LicenseEdge]
    page_info: PageInfo

    @strawberry.field
    def total_count(self) -> int:
        return self.rows.count()


def license_page(
    caller: Caller, subscription: models.Subscription, first: int, after: str | None, search: str | None
) -> LicenseConnection:
    """A page of holders, least recently active first (never active before all)."""
    FIELDS["ProductSubscription.licenses"].require(caller, subscription.tenant_id)
    counted = license_rows(subscription, read_search(search))
    rows = counted.order_by(F("user__last_active_at").asc(nulls_first=True), "pk").prefetch_related("groups")
    if after:
        rows = rows.filter(_after(*read_cursor(after, 2)))
    page = Page(lambda limit: rows[:limit], first, after=bool(after))
    cursors = [make_cursor(_microseconds(row.user.last_active_at), row.pk) for row in page.rows]
    return LicenseConnection(
        rows=counted,
        edges=[LicenseEdge(node=License(row=row), cursor=c) for row, c in zip(page.rows, cursors, strict=True)],
        page_info=page.info(cursors),
    )


def _microseconds(instant: datetime | None) -> int:
    """Sort key of a holder; 0 for one who was never active."""
    return (instant - _EPOCH) // timedelta(microseconds=1) if instant else 0


def _after(microseconds: int, pk: int) -> Q:
    if microseconds == 0:
        return Q(user__last_active_at=None, pk__gt=pk) | Q(user__last_active_at__isnull=False)
    last = _EPOCH + timedelta(microseconds=microseconds)
    return Q(user__last_active_at=last, pk__gt=pk) | Q(user__last_active_at__gt=last)
