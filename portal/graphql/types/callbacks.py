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


@strawberry.type(description="A span of time in which the desk can call, inside its hours and the customer's day.")
class CallbackWindow:
    begins: strawberry.Private[datetime]
    ends: strawberry.Private[datetime]
    zone: strawberry.Private[ZoneInfo]

    @strawberry.field(
        description="For requestCallback and rescheduleCallback. Names a start, and promises no place: that is checked again."
    )
    def id(self) -> strawberry.ID:
        return make_id(Kind.WINDOW, int(self.begins.timestamp()))

    @strawberry.field(description="When it begins.")
    def start(self) -> datetime:
        return self.begins

    @strawberry.field(description="When it ends.")
    def end(self) -> datetime:
        return self.ends

    @strawberry.field(description="With day, hours and the zone's name, in the request's language.")
    def label(self) -> str:
        return format_span(self.begins, self.ends, self.zone)


@strawberry.type(description="Somebody wants to be called about a subscription. At most one is open for each.")
class CallbackRequest(Node):
    row: strawberry.Private[desk_models.CallbackRequest]
    summary: strawberry.Private[SubscriptionSummary]

    def public_id(self) -> tuple[Kind, int]:
        return Kind.CALLBACK, self.row.pk

    @strawberry.field(description="Short, speakable, without 0 O 1 I: what to say on the phone.")
    def reference(self) -> str:
        return self.row.reference

    subscription = strawberry.field(resolver=subscription_of, description="What it is about, as it is now.")

    @strawberry.field(description="Where it is between the wish and the call.")
    def status(self) -> Status:
        return Status(self.row.status)

    @strawberry.field(
        description="Who is to be asked for. Empty once the contact was erased, some months after the request was closed."
    )
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

    @strawberry.field(description="The code of the language of the call, for example bg.")
    def language(self) -> str:
        return self.row.language

    @strawberry.field(description="IANA name of the zone whose days and nights count, for example Europe/Sofia.")
    def time_zone(self) -> str:
        return self.row.time_zone

    @strawberry.field(description="Null: as soon as possible in business hours.")
    def window(self) -> CallbackWindow | None:
        if self.row.window_start is None or self.row.window_end is None:
            return None
        zone = ZoneInfo(self.row.time_zone)
        return CallbackWindow(begins=self.row.window_start, ends=self.row.window_end, zone=zone)

    @strawberry.field(
        description="When the desk means to dial next. Null while nobody does: the customer or staff decide first, or it is over."
    )
    def next_attempt_at(self) -> datetime | None:
        return self.row.next_attempt_at

    @strawberry.field(description="Attempts that count, of the three that are made before it is UNREACHABLE.")
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

    @strawberry.field(description="When it ended. Null while it is open.")
    def closed_at(self) -> datetime | None:
        return self.row.closed_at

    @strawberry.field(description="Why it ended. Null while it is open.")
    def close_reason(self) -> CloseReason | None:
        return CloseReason(self.row.close_reason) if self.row.close_reason else None


def find_callback(info: Info, callback_id: int) -> CallbackRequest | None:
    """A callback request the caller sees."""
    row = visible(desk_models.CallbackRequest.objects.all(), info.context.caller).filter(pk=callback_id).first()
    return wrap_callback(info, row) if row else None


def wrap_callback(info: Info, row: desk_models.CallbackRequest) -> CallbackRequest:
    """The request with its subscription as it is now."""
    return CallbackRequest(row=row, summary=SubscriptionSummary.now(info, row.subscription_id))
