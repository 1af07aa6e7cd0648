"""Events to partners, on the wire."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

import strawberry

from common.public_ids import Kind
from portal.graphql.types.enums import WebhookEventType
from portal.graphql.types.node import make_id
from webhooks.models import Endpoint


@strawberry.enum(description="How a webhook does.")
class WebhookStatus(Enum):
    ACTIVE = strawberry.enum_value("ACTIVE", description="It is sent to.")
    FAILING = strawberry.enum_value("FAILING", description="It is tried, and nothing arrives.")
    DISABLED = strawberry.enum_value("DISABLED", description="It is not tried any more; replayWebhook enables it.")


@strawberry.type(description="An address that hears of events, signed by the Standard Webhooks specification.")
class Webhook:
    row: strawberry.Private[Endpoint]

    @strawberry.field(description="Stays the same while it is registered.")
    def id(self) -> strawberry.ID:
        return make_id(Kind.WEBHOOK, self.row.pk)

    @strawberry.field(description="Where events are sent.")
    def url(self) -> str:
        return self.row.url

    @strawberry.field(description="Empty: all of them, also those that are yet to come.")
    def events(self) -> list[WebhookEventType]:
        return [WebhookEventType(name) for name in self.row.events]

    @strawberry.field(
        description="FAILING: nothing arrived since failingSince. DISABLED after three days of that, or by 410 Gone:"
        " what waits is kept for 30 days; see replayWebhook."
    )
    def status(self) -> WebhookStatus:
        if self.row.disabled_at:
            return WebhookStatus.DISABLED
        return WebhookStatus.FAILING if self.row.failing_since else WebhookStatus.ACTIVE

    @strawberry.field(description="Since when nothing has arrived. Null while it works.")
    def failing_since(self) -> datetime | None:
        return self.row.failing_since

    @strawberry.field(
        description="The last answer, while it fails: HTTP and its status, TIMEOUT, NO_CONNECTION, TLS, or PRIVATE for an address that is not public. Null while it works."
    )
    def last_problem(self) -> str | None:
        return self.row.last_problem or None

    @strawberry.field(description="When something last arrived. Null: nothing has.")
    def last_delivered_at(self) -> datetime | None:
        return self.row.delivered_at

    @strawberry.field(description="Events that did not arrive yet.")
    def waiting_events(self) -> int:
        count: int = self.row.waiting_count  # type: ignore[attr-defined]
        return count

    @strawberry.field(description="When it was registered.")
    def created_at(self) -> datetime:
        return self.row.created_at
