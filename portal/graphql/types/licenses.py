"""Licenses, their holders, and taking them away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum

import strawberry
from django.db.models import F, Q, QuerySet

from common.public_ids import Kind
from portal.graphql.access import FIELDS
from portal.graphql.types.connections import Page, PageInfo, make_cursor, read_cursor, read_search
from portal.graphql.types.node import Node
from subscriptions import models
from subscriptions.messages.removals import refusal_message
from subscriptions.models import RemovalStatus
from subscriptions.selectors.lists import license_rows
from subscriptions.selectors.removals import LatestRemovals
from tenants.callers import Caller

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@strawberry.enum(description="How a user comes to have a license.")
class LicenseSource(Enum):
    DIRECT = strawberry.enum_value("DIRECT", description="Assigned to the user; removeUsers takes it away.")
    GROUP = strawberry.enum_value("GROUP", description="Handed out by a group; leave the group to lose it.")


@strawberry.type(description="Somebody in a tenant's directory.")
class DirectoryUser(Node):
    row: strawberry.Private[models.DirectoryUser]

    def public_id(self) -> tuple[Kind, int]:
        return Kind.USER, self.row.pk

    @strawberry.field(description="What the tenant's directory calls them. Null when no system of record said.")
    def external_id(self) -> str | None:
        return self.row.external_id or None

    @strawberry.field(description="The sign-in name.")
    def user_principal_name(self) -> str:
        return self.row.principal_name

    @strawberry.field(description="The name to show; the sign-in name where there is none.")
    def display_name(self) -> str:
        return self.row.display_name or self.row.principal_name

    @strawberry.field(description="When they last used a product, as the directory says. Null: never, or unknown.")
    def last_active_at(self) -> datetime | None:
        return self.row.last_active_at

    @strawberry.field(description="Whether they may not sign in. A blocked user's license counts.")
    def is_blocked(self) -> bool:
        return self.row.is_blocked


@strawberry.type(description="That a license is to be taken away by the directory, and what became of that.")
class Removal:
    row: strawberry.Private[models.Removal]
    with_text: strawberry.Private[bool]
    status: RemovalStatus = strawberry.field(description="What the directory has said of it.")
    requested_at: datetime = strawberry.field(description="When it was asked for.")
    decided_at: datetime | None = strawberry.field(
        description="When the directory confirmed or refused it. Null: it has not."
    )

    @strawberry.field(description="The directory's reason, in the request's language.")
    def reason(self) -> str | None:
        return refusal_message(self.row, with_text=self.with_text) if self.row.reason else None


@strawberry.type(description="One user's license of one subscription.")
class License(Node):
    row: strawberry.Private[models.License]
    latest_removals: strawberry.Private[LatestRemovals]
    reads_texts: strawberry.Private[bool]

    def public_id(self) -> tuple[Kind, int]:
        return Kind.LICENSE, self.row.pk

    @strawberry.field(description="Who holds it.")
    def user(self) -> DirectoryUser:
        return DirectoryUser(row=self.row.user)

    @strawberry.field(description="When it was assigned. Null: unknown.")
    def assigned_at(self) -> datetime | None:
        return self.row.assigned_at

    @strawberry.field(description="How they come to have it; both, where both are true.")
    def sources(self) -> list[LicenseSource]:
        held = [(self.row.is_direct, LicenseSource.DIRECT), (self.row.is_inherited, LicenseSource.GROUP)]
        return [source for holds, source in held if holds]

    @strawberry.field(description="The groups that hand it out. Empty without GROUP.")
    def group_names(self) -> list[str]:
        return sorted(group.name for group in self.row.groups.all())

    @strawberry.field(description="Whether removeUsers can take it away completely.")
    def removable(self) -> bool:
        return not self.row.is_inherited

    @strawberry.field(description="Set once its removal was asked.")
    def removal(self) -> Removal | None:
        row = self.latest_removals.of(self.row)
        if row is None:
            return None
        return Removal(
            row=row,
            with_text=self.reads_texts,
            status=RemovalStatus(row.status),
            requested_at=row.requested_at,
            decided_at=row.decided_at,
        )

    @classmethod
    def page(cls, caller: Caller, tenant_id: int, rows: Sequence[models.License]) -> list[License]:
        """Of one tenant; they ask for their removals together."""
        latest, reads_texts = LatestRemovals(rows), FIELDS["Removal.reason (text)"].allows(caller, tenant_id)
        return [cls(row=row, latest_removals=latest, reads_texts=reads_texts) for row in rows]


@strawberry.type(description="One license of a page.")
class LicenseEdge:
    node: License = strawberry.field(description="The license.")
    cursor: str = strawberry.field(description="For after.")


@strawberry.type(description="A page of licenses.")
class LicenseConnection:
    rows: strawberry.Private[QuerySet[models.License]]
    edges: list[LicenseEdge] = strawberry.field(description="The licenses of this page.")
    page_info: PageInfo = strawberry.field(description="How to go on.")

    @strawberry.field(description="How many there are on all pages.")
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
        edges=[
            LicenseEdge(node=node, cursor=cursor)
            for node, cursor in zip(License.page(caller, subscription.tenant_id, page.rows), cursors, strict=True)
        ],
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
