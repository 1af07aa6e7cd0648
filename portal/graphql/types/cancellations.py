"""Cancellations: make one, undo it, say why."""

from __future__ import annotations

from datetime import datetime

import strawberry
from django.urls import reverse

from billing import proration
from common.public_ids import Kind
from portal.accounts.callers import is_hosted
from portal.graphql.context import Info
from portal.graphql.types.actors import Actor, who_canceled
from portal.graphql.types.billing import Refund
from portal.graphql.types.node import Node
from portal.graphql.types.summary import SubscriptionSummary, subscription_of
from subscriptions import models
from subscriptions.models.cancellations import CancellationStatus as Status
from subscriptions.models.cancellations import Feedback
from subscriptions.policy.facts import Mode
from subscriptions.selectors.cancellations import cancellation_status, requested_by


@strawberry.type(
    description="That somebody left a subscription: when it ends, what comes back, until when it can be undone."
)
class Cancellation(Node):
    row: strawberry.Private[models.Cancellation]
    summary: strawberry.Private[SubscriptionSummary]

    def public_id(self) -> tuple[Kind, int]:
        return Kind.CANCELLATION, self.row.pk

    @strawberry.field(description="Short, speakable, without 0 O 1 I: for example C-7K3M-94QX.")
    def reference(self) -> str:
        return self.row.reference

    subscription = strawberry.field(resolver=subscription_of, description="What was canceled, as it is now.")

    @strawberry.field(description="At once, or at the end of the period.")
    def mode(self) -> Mode:
        return Mode(self.row.mode)

    @strawberry.field(description="Whether it is still to come, in effect, or undone.")
    def status(self) -> Status:
        return cancellation_status(self.row, self.summary.batch.at)

    @strawberry.field(description="When it was confirmed.")
    def requested_at(self) -> datetime:
        return self.row.requested_at

    @strawberry.field(description="Who confirmed it, by name: a person, a partner, or support.")
    def requested_by(self) -> str:
        return requested_by(self.row)

    @strawberry.field(description="Who decided: a person, a person vouched for by a host, a partner's token, or staff.")
    def canceled_by(self) -> Actor:
        return who_canceled(self.row)

    @strawberry.field(description="When the subscription ends.")
    def effective_at(self) -> datetime:
        return self.row.effective_at

    @strawberry.field(description="Until when undoCancellation takes it back. Null where it cannot be undone.")
    def undo_until(self) -> datetime | None:
        return self.row.undo_until

    @strawberry.field(description="More than one only when a payment settled after canceling.")
    def refunds(self) -> list[Refund]:
        batch, zone = self.summary.batch, self.summary.row.tenant.zone
        return [Refund(row=row, now=batch.at, zone=zone) for row in batch.refunds.get(self.row.pk, ())]

    @strawberry.field(description="Why nothing comes back. Null when something does.")
    def no_refund_reason(self) -> proration.NoRefundReason | None:
        return proration.NoRefundReason(self.row.no_refund_reason) if self.row.no_refund_reason else None

    @strawberry.field(description="When users lose access.")
    def access_ends_at(self) -> datetime:
        return self.row.access_ends_at

    @strawberry.field(description="Until when admins still reach the data.")
    def data_available_until(self) -> datetime:
        return self.row.data_available_until

    @strawberry.field(description="By when the data is gone for good.")
    def data_erased_by(self) -> datetime:
        return self.row.data_erased_by

    @strawberry.field(description="HTML page and, with ?format=txt, plain text; for whoever may see the cancellation.")
    def receipt_url(self, info: Info) -> str:
        request = info.context.request
        name = "hosted_receipt" if is_hosted(request) else "receipt"
        return request.build_absolute_uri(reverse(name, args=[self.row.reference]))

    @strawberry.field(description="Why they left, if they said.")
    def feedback(self) -> Feedback | None:
        return Feedback(self.row.feedback) if self.row.feedback else None

    @strawberry.field(description="What they wrote, if anything.")
    def comment(self) -> str | None:
        return self.row.comment or None


def wrap_cancellation(info: Info, row: models.Cancellation) -> Cancellation:
    """The cancellation with its subscription as it is now."""
    summary = SubscriptionSummary.now(info, row.subscription_id)
    summary.batch.include_cancellations([row])
    return Cancellation(row=row, summary=summary)
