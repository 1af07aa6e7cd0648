"""Cancel, undo, say why."""

from __future__ import annotations

from typing import Annotated

import strawberry

from common.public_ids import Kind, read_id
from portal.graphql.context import Info
from portal.graphql.fields import mutation
from portal.graphql.types.cancellations import Cancellation, wrap_cancellation
from portal.graphql.types.problems import InputProblem, NotAvailableProblem, QuoteChangedProblem
from subscriptions.cancellations import service as services
from subscriptions.models.cancellations import Feedback


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
    @mutation(description="Cancels exactly what the quote said, or answers with the new quote and changes nothing.")
    def cancel_subscription(self, info: Info, input: CancelSubscriptionInput) -> CancelSubscriptionPayload:
        canceled = services.cancel_subscription(
            subscription_id=read_id(Kind.SUBSCRIPTION, input.subscription_id),
            quote_id=input.quote_id,
            idempotency_key=input.idempotency_key,
            **info.context.basics,
        )
        cancellation = wrap_cancellation(info, canceled.cancellation)
        return CancelSubscriptionSuccess(cancellation=cancellation, replayed=canceled.replayed)

    @mutation(description="Reverses a cancellation until its undoUntil. Repeating it is a no-op that answers the same.")
    def undo_cancellation(self, info: Info, input: UndoCancellationInput) -> UndoCancellationPayload:
        undone = services.undo_cancellation(
            cancellation_id=read_id(Kind.CANCELLATION, input.cancellation_id),
            **info.context.basics,
        )
        return UndoCancellationSuccess(cancellation=wrap_cancellation(info, undone))

    @mutation(description="Why they left: after canceling, optional, can be repeated.")
    def submit_cancellation_feedback(self, info: Info, input: CancellationFeedbackInput) -> CancellationFeedbackPayload:
        row = services.submit_cancellation_feedback(
            cancellation_id=read_id(Kind.CANCELLATION, input.cancellation_id),
            feedback=input.feedback,
            comment=input.comment or "",
            **info.context.basics,
        )
        return CancellationFeedbackSuccess(cancellation=wrap_cancellation(info, row))
