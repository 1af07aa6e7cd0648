"""Money and refunds on the wire."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import strawberry

from billing import models
from billing import money as amounts
from billing.credit_form import CreditForm
from billing.formatting import format_money
from billing.providers import credit_form
from common.public_ids import Kind
from portal.graphql.types.node import Node


@strawberry.type(description="formatted is made by the server, in the request's language; show it as it is.")
class Money:
    exact: strawberry.Private[amounts.Money]

    @strawberry.field(description='Decimal digits as text, never a float, for example "421.20".')
    def amount(self) -> Decimal:
        return self.exact.amount

    @strawberry.field(description="ISO 4217, for example EUR.")
    def currency(self) -> str:
        return self.exact.currency

    @strawberry.field(description="For people, in the request's language, for example €421.20.")
    def formatted(self) -> str:
        return format_money(self.exact)


@strawberry.type(description="Money that goes back.")
class Refund(Node):
    row: strawberry.Private[models.Refund]
    now: strawberry.Private[datetime]
    zone: strawberry.Private[ZoneInfo]

    def public_id(self) -> tuple[Kind, int]:
        return Kind.REFUND, self.row.pk

    @strawberry.field(description="How much, with tax.")
    def amount(self) -> Money:
        return Money(exact=self.row.money)

    @strawberry.field(description="How far it is.")
    def status(self) -> models.RefundStatus:
        return models.RefundStatus(self.row.status)

    @strawberry.field(description="What becomes of it: say it in these words, and that it was paid only once it has.")
    def credit_form(self) -> CreditForm:
        return credit_form(self.row.provider)

    @strawberry.field(
        description="The day by which it is promised: the end of the next billing cycle, in the tenant's zone."
    )
    def due_by(self) -> date:
        return self.row.due_by

    @strawberry.field(description="When it was paid back, credited or paid. Null until then.")
    def settled_at(self) -> datetime | None:
        return self.row.returned_at

    @strawberry.field(description="Whether the day has passed and it is not settled.")
    def overdue(self) -> bool:
        over = self.row.status in models.FINAL_REFUND_STATUSES
        return not over and self.row.due_by < self.now.astimezone(self.zone).date()
