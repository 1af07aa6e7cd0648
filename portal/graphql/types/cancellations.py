"""Cancellations: make one, undo it, say why."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from django.urls import reverse

from billing import proration
from common.public_ids import Kind, read_id
from portal.graphql.context import Info
from portal.graphql.errors import input_problem, problem, quote_problem
from portal.graphql.types.billing import Refund
from portal.graphql.types.node import Node
from portal.graphql.types.options import Verdict
from portal.graphql.types.problems import InputProblem, NotAvailableProblem, QuoteChangedProblem
from subscriptions import models, policy
from subscriptions.errors import QuoteChanged, SubscriptionError
from subscriptions.models.cancellations import CancellationStatus as Status
from subscriptions.models.cancellations import Feedback
from subscriptions.selectors.cancellations import cancellation_status, requested_by
from subscriptions.services import cancellations as services

if TYPE_CHECKING:
    from portal.graphql.types.subscriptions import ProductSubscription

strawberry.enum(Status, name="CancellationStatus")
strawberry.enum(Feedback, name="CancellationFeedback")


@strawberry.type
class Cancellation(Node):
    row: strawberry.Private[models.Cancellation]
    verdict: strawberry.Private[Verdict]

    def public_id(self) -> tuple[Kind, int]:
        return Kind.CANCELLATION, self.row.pk

    @strawberry.field(description="Short, speakable, without 0 O 1 I: for example C-7K3M-94QX.")
    def reference(self) -> str:
        return self.row.reference

    @strawberry.field
    def subscription(self) -> Annotated[ProductSubscription, strawberry.lazy("portal.graphql.types.subscriptions")]:
        from portal.graphql.types.subscriptions import ProductSubscription

        return ProductSubscription.of(self.verdict)

    @strawberry.field
    def mode(self) -> policy.Mode:
        return policy.Mode(self.row.mode)

    @strawberry.field
    def status(self) -> Status:
        return cancellation_status(self.row, self.verdict.batch.at)

    @strawberry.field
    def requested_at(self) -> datetime:
        return self.row.requested_at

    @strawberry.field
    def requested_by(self) -> str:
        return requested_by(self.row)

    @strawberry.field
    def effective_at(self) -> datetime:
        return self.row.effective_at

    @strawberry.field
    def undo_until(self) -> datetime | None:
        return self.row.undo_until

    @strawberry.field(description="More than one only when a payment settled after canceling.")
    def refunds(self) -> list[Refund]:
        batch, zone = self.verdict.batch, self.verdict.row.tenant.zone
        return [Refund(row=row, now=batch.at, zone=zone) for row in batch.refunds.get(self.row.pk, ())]

    @strawberry.field
    def no_refund_reason(self) -> proration.NoRefundReason | None:
        return proration.NoRefundReason(self.row.no_refund_reason) if self.row.no_refund_reason else None

    @strawberry.field
    def access_ends_at(self) -> datetime:
        return self.row.access_ends_at

    @strawberry.field
    def data_available_until(self) -> datetime:
        return self.row.data_available_until

    @strawberry.field
    def data_erased_by(self) -> datetime:
        return self.row.data_erased_by

    @strawberry.field(description="HTML page and, with ?format=txt, plain text; for whoever may see the cancellation.")
    def receipt_url(self, info: Info) -> str:
        return info.context.request.build_absolute_uri(reverse("receipt", args=[self.row.reference]))

    @strawberry.field
    def feedback(self) -> Feedback | None:
        return Feedback(self.row.feedback) if self.row.feedback else None

    @strawberry.field
    def comment(self) -> str | None:
        return self.row.comment or None


def wrap_cancellation(info: Info, row: models.Cancellation) -> Cancellation:
    """The cancellation with its subscription as it is now."""
    verdict = Verdict.now(info, row.subscription_id)
    verdict.batch.include_cancellations([row])
    return Cancellation(row=row, verdict=verdict)


@strawberry.input
class CancelSubscriptionInput:
    subscription_id: strawberry.ID
    quote_id: strawberry.ID
    idempotency_key: str


@strawberry.input
class UndoCancellationInput:
    cancellation_id: strawberry.ID


@strawberry.input
class CancellationFeedbackInput:
    cancellation_id: strawberry.ID
    feedback: Feedback
    comment: str | None = strawberry.UNSET


@strawberry.type
class CancelSubscriptionSuccess:
    cancellation: Cancellation
    replayed: bool = strawberry.field(description="True when this key, or another request, had already done it.")


@strawberry.type
class UndoCancellationSuccess:
    cancellation: Cancellation


@strawberry.type
class CancellationFeedbackSuccess:
    cancellation: Cancellation


CancelSubscriptionPayload = Annotated[
    CancelSubscriptionSuccess | QuoteChangedProblem | NotAvailableProblem | InputProblem,
    strawberry.union("CancelSubscriptionPayload"),
]
UndoCancellationPayload = Annotated[
    UndoCancellationSuccess | NotAvailableProblem | InputProblem, strawberry.union("UndoCancellationPayload")
]
CancellationFeedbackPayload = Annotated[
    CancellationFeedbackSuccess | InputProblem, strawberry.union("CancellationFeedbackPayload")
]


@strawberry.type
class CancellationMutation:
    @strawberry.mutation(
        description="Cancels exactly what the quote said, or answers with the new quote and changes nothing."
    )
    def cancel_subscription(self, info: Info, input: CancelSubscriptionInput) -> CancelSubscriptionPayload:
        subscription_id = read_id(Kind.SUBSCRIPTION, input.subscription_id)
        try:
            canceled = services.cancel_subscription(
                caller=info.context.caller,
                subscription_id=subscription_id,
                quote_id=input.quote_id,
                idempotency_key=input.idempotency_key,
                language=info.context.language,
                now=info.context.now,
            )
        except QuoteChanged as error:
            return quote_problem(error, info, subscription_id)
        except SubscriptionError as error:
            return problem(error, info, subscription_id)
        cancellation = wrap_cancellation(info, canceled.cancellation)
        return CancelSubscriptionSuccess(cancellation=cancellation, replayed=canceled.replayed)

    @strawberry.mutation(
        description="Reverses a cancellation until its undoUntil. Repeating it is a no-op that answers the same."
    )
    def undo_cancellation(self, info: Info, input: UndoCancellationInput) -> UndoCancellationPayload:
        cancellation_id = read_id(Kind.CANCELLATION, input.cancellation_id)
        try:
            undone = services.undo_cancellation(
                caller=info.context.caller,
                cancellation_id=cancellation_id,
                language=info.context.language,
                now=info.context.now,
            )
        except SubscriptionError as error:
            return problem(error, info)
        return UndoCancellationSuccess(cancellation=wrap_cancellation(info, undone))

    @strawberry.mutation(description="Why they left: after canceling, optional, can be repeated.")
    def submit_cancellation_feedback(self, info: Info, input: CancellationFeedbackInput) -> CancellationFeedbackPayload:
        try:
            row = services.submit_cancellation_feedback(
                caller=info.context.caller,
                cancellation_id=read_id(Kind.CANCELLATION, input.cancellation_id),
                feedback=input.feedback,
                comment=input.comment or "",
                language=info.context.language,
                now=info.context.now,
            )
        except SubscriptionError as error:
            return input_problem(error)
        return CancellationFeedbackSuccess(cancellation=wrap_cancellation(info, row))
