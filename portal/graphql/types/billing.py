"""Money and refunds on the wire."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import strawberry

from billing import models
from billing import money as amounts
from billing.formatting import format_money
from common.public_ids import Kind
from portal.graphql.types.node import Node


@strawberry.type(description="formatted is made by the server, in the request's language; show it as it is.")
class Money:
    exact: strawberry.Private[amounts.Money]

    @strawberry.field
    def amount(self) -> Decimal:
        return self.exact.amount

    @strawberry.field
    def currency(self) -> str:
        return self.exact.currency

    @strawberry.field
    def formatted(self) -> str:
        return format_money(self.exact)


@strawberry.type
class Refund(Node):
    row: strawberry.Private[models.Refund]
    now: strawberry.Private[datetime]
    zone: strawberry.Private[ZoneInfo]

    def public_id(self) -> tuple[Kind, int]:
        return Kind.REFUND, self.row.pk

    @strawberry.field
    def amount(self) -> Money:
        return Money(exact=self.row.money)

    @strawberry.field
    def status(self) -> models.RefundStatus:
        return models.RefundStatus(self.row.status)

    @strawberry.field
    def due_by(self) -> date:
        return self.row.due_by

    @strawberry.field
    def settled_at(self) -> datetime | None:
        return self.row.returned_at

    @strawberry.field
    def overdue(self) -> bool:
        over = self.row.status in models.FINAL_REFUND_STATUSES
        return not over and self.row.due_by < self.now.astimezone(self.zone).date()
