"""What our enums are called in the API.

All in one place that is read before any type: a type that mentions an enum first would give it a name of its own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import strawberry

from billing.models import RefundStatus
from billing.proration import Convention, NoRefundReason
from desk.codes import CallbackStatus, CloseReason
from subscriptions.directory.licenses import RemovalOutcome
from subscriptions.models.cancellations import CancellationStatus, Feedback
from subscriptions.policy.decision import Reason, Route
from subscriptions.policy.facts import Channel, Mode, Status
from tenants.callers import Role, Scope
from webhooks.kinds import known_kinds

if TYPE_CHECKING:

    class WebhookEventType(StrEnum):
        """Whatever is declared, see webhooks.kinds."""

else:
    WebhookEventType = strawberry.enum(StrEnum("WebhookEventType", known_kinds()))

for _enum, _name in (
    (Route, "CancellationRoute"),
    (Reason, "ReasonCode"),
    (Mode, "CancellationMode"),
    (Status, "SubscriptionStatus"),
    (Channel, "SalesChannel"),
    (NoRefundReason, "NoRefundReason"),
    (Convention, "ProrationConvention"),
    (CancellationStatus, "CancellationStatus"),
    (Feedback, "CancellationFeedback"),
    (RefundStatus, "RefundStatus"),
    (RemovalOutcome, "RemovalOutcome"),
    (CallbackStatus, "CallbackStatus"),
    (CloseReason, "CallbackCloseReason"),
    (Role, "Role"),
):
    strawberry.enum(_enum, name=_name)

strawberry.enum(
    Scope,
    name="PartnerScope",
    description="QUOTE includes READ. CANCEL includes QUOTE and undo. CALLBACK includes reschedule and withdraw."
    " READ shows no names of users: READ_USERS does.",
)
