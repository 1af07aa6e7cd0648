"""Let us call you, on the wire."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import strawberry

from common.formatting import format_span
from common.public_ids import Kind
from desk import models as desk_models
from desk.codes import CallbackStatus as Status
from desk.codes import CloseReason
from desk.phones import international, masked
from portal.graphql.access import FIELDS
from portal.graphql.context import Info
from portal.graphql.types.node import Node, make_id
from portal.graphql.types.summary import SubscriptionSummary, subscription_of
from subscriptions.selectors.lists import visible


@strawberry.type
class CallbackWindow:
    begins: strawberry.Private[datetime]
    ends: strawberry.Private[datetime]
    zone: strawberry.Private[ZoneInfo]

    @strawberry.field
    def id(self) -> strawberry.ID:
        return make_id(Kind.WINDOW, int(self.begins.timestamp()))

    @strawberry.field
    def start(self) -> datetime:
        return self.begins

    @strawberry.field
    def end(self) -> datetime:
        return self.ends

    @strawberry.field(description="With day, hours and the zone's name, in the request's language.")
    def label(self) -> str:
        return format_span(self.begins, self.ends, self.zone)


@strawberry.type
class CallbackRequest(Node):
    row: strawberry.Private[desk_models.CallbackRequest]
    summary: strawberry.Private[SubscriptionSummary]

    def public_id(self) -> tuple[Kind, int]:
        return Kind.CALLBACK, self.row.pk

    @strawberry.field
    def reference(self) -> str:
        return self.row.reference

    subscription = strawberry.field(resolver=subscription_of)

    @strawberry.field
    def status(self) -> Status:
        return Status(self.row.status)

    @strawberry.field
    def contact_name(self) -> str:
        return self.row.contact_name

    @strawberry.field(
        description="International format for the tenant's acting roles and tokens with CALLBACK, masked for anyone"
        " else."
    )
    def phone(self, info: Info) -> str:
        show = (
            international
            if FIELDS["CallbackRequest.phone (whole)"].allows(info.context.caller, self.row.tenant_id)
            else masked
        )
        return show(self.row.phone)

    @strawberry.field
    def language(self) -> str:
        return self.row.language

    @strawberry.field
    def time_zone(self) -> str:
        return self.row.time_zone

    @strawberry.field(description="Null: as soon as possible in business hours.")
    def window(self) -> CallbackWindow | None:
        if self.row.window_start is None or self.row.window_end is None:
            return None
        zone = ZoneInfo(self.row.time_zone)
        return CallbackWindow(begins=self.row.window_start, ends=self.row.window_end, zone=zone)

    @strawberry.field
    def next_attempt_at(self) -> datetime | None:
        return self.row.next_attempt_at

    @strawberry.field
    def attempts(self) -> int:
        return self.row.attempts

    @strawberry.field(description="Credit counts from here, however late support calls (see creditFrom).")
    def requested_at(self) -> datetime:
        return self.row.requested_at

    @strawberry.field(
        description="requestedAt, moved later only by a window that the customer chose more than five business days"
        " away."
    )
    def credit_from(self) -> datetime:
        return self.row.credit_from

    @strawberry.field
    def closed_at(self) -> datetime | None:
        return self.row.closed_at

    @strawberry.field
    def close_reason(self) -> CloseReason | None:
        return CloseReason(self.row.close_reason) if self.row.close_reason else None


def find_callback(info: Info, callback_id: int) -> CallbackRequest | None:
    """A callback request the caller sees."""
    row = visible(desk_models.CallbackRequest.objects.all(), info.context.caller).filter(pk=callback_id).first()
    return wrap_callback(info, row) if row else None


def wrap_callback(info: Info, row: desk_models.CallbackRequest) -> CallbackRequest:
    """The request with its subscription as it is now."""
    return CallbackRequest(row=row, summary=SubscriptionSummary.now(info, row.subscription_id))
