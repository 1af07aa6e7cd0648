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


@strawberry.input(description="What to cancel, as quoted.")
class CancelSubscriptionInput:
    subscription_id: strawberry.ID = strawberry.field(description="What is to be canceled.")
    quote_id: strawberry.ID = strawberry.field(
        description="A quote of its CANCEL_ONLINE option, not older than 30 minutes. It says when access ends and what comes back."
    )
    idempotency_key: str = strawberry.field(
        description="Made by you, at most 255 characters: however often it is sent within 30 days, it is done once and answered alike."
    )


@strawberry.input(description="What to take back.")
class UndoCancellationInput:
    cancellation_id: strawberry.ID = strawberry.field(description="Of the one in force.")


@strawberry.input(description="Why somebody left.")
class CancellationFeedbackInput:
    cancellation_id: strawberry.ID = strawberry.field(description="The cancellation that it is about.")
    feedback: Feedback = strawberry.field(description="The reason; saying another one replaces it.")
    comment: str | None = strawberry.field(
        default=strawberry.UNSET, description="At most 2,000 characters. Null: none."
    )


@strawberry.type(description="It is canceled.")
class CancelSubscriptionSuccess:
    cancellation: Cancellation = strawberry.field(
        description="The cancellation that is in force, with its refunds and its receipt."
    )
    replayed: bool = strawberry.field(description="True when this key, or another request, had already done it.")


@strawberry.type(description="It is taken back: the subscription goes on, and nothing is paid back.")
class UndoCancellationSuccess:
    cancellation: Cancellation = strawberry.field(description="The cancellation, UNDONE now.")


@strawberry.type(description="It is noted.")
class CancellationFeedbackSuccess:
    cancellation: Cancellation = strawberry.field(description="The cancellation with it.")


CancelSubscriptionPayload = Annotated[
    CancelSubscriptionSuccess | QuoteChangedProblem | NotAvailableProblem | InputProblem,
    strawberry.union("CancelSubscriptionPayload", description="Canceled; or why not, with what is possible instead."),
]
UndoCancellationPayload = Annotated[
    UndoCancellationSuccess | NotAvailableProblem | InputProblem,
    strawberry.union("UndoCancellationPayload", description="Taken back; or why not, with what is possible instead."),
]
CancellationFeedbackPayload = Annotated[
    CancellationFeedbackSuccess | InputProblem,
    strawberry.union("CancellationFeedbackPayload", description="Noted; or why not."),
]


@strawberry.type
class CancellationMutation:
    @mutation(description="Cancels exactly what the quote said, or answers with the new quote and changes nothing.")
    def cancel_subscription(
        self,
        info: Info,
        input: CancelSubscriptionInput,
    ) -> CancelSubscriptionPayload:
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
