"""Say that a refund was paid."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from common.public_ids import Kind, read_id
from portal.graphql.context import Info
from portal.graphql.fields import mutation
from portal.graphql.types.billing import Refund
from portal.graphql.types.problems import InputProblem
from subscriptions.cancellations.payments import mark_refund_paid


@strawberry.input(description="Which refund was paid, and when.")
class MarkRefundPaidInput:
    refund_id: strawberry.ID = strawberry.field(description="One that is SUBMITTED, and whose creditForm is OWED.")
    paid_at: datetime = strawberry.field(
        description="When the money left: not in the future, and not before the refund was promised."
    )
    reference: str = strawberry.field(
        description="What it is found by where it was paid, for example the transfer's number; at most 100 characters. The same one again changes nothing, another one is refused."
    )
    idempotency_key: str = strawberry.field(
        description="Made by you, at most 255 characters: however often it is sent within 30 days, it is done once and answered alike."
    )


@strawberry.type(description="It is noted, and the customer hears of it.")
class MarkRefundPaidSuccess:
    refund: Refund = strawberry.field(
        description="The refund, SUCCEEDED now; its settledAt is the paidAt it was marked with."
    )


MarkRefundPaidPayload = Annotated[
    MarkRefundPaidSuccess | InputProblem,
    strawberry.union("MarkRefundPaidPayload", description="Noted; or why not."),
]


@strawberry.type
class RefundMutation:
    @mutation(description="A refund that the installation owed has been paid. Scope SETTLE.")
    def mark_refund_paid(self, info: Info, input: MarkRefundPaidInput) -> MarkRefundPaidPayload:
        row = mark_refund_paid(
            caller=info.context.caller,
            refund_id=read_id(Kind.REFUND, input.refund_id),
            paid_at=input.paid_at,
            reference=input.reference,
            idempotency_key=input.idempotency_key,
            now=info.context.now,
        )
        zone = row.agreement.account.tenant.zone
        return MarkRefundPaidSuccess(refund=Refund(row=row, now=info.context.now, zone=zone))
