"""Who did something, on the wire."""

from __future__ import annotations

from enum import Enum

import strawberry

from subscriptions.models import Cancellation


@strawberry.enum(description="What somebody is who did something.")
class ActorKind(Enum):
    PERSON = strawberry.enum_value("PERSON", description="Somebody of the customer's, with an account.")
    VOUCHED_PERSON = strawberry.enum_value(
        "VOUCHED_PERSON", description="Somebody of the customer's whom a host vouched for."
    )
    PARTNER = strawberry.enum_value("PARTNER", description="A program, with a partner's token.")
    STAFF = strawberry.enum_value("STAFF", description="Support, for the customer.")


@strawberry.type(description="Who did something, as they are called now.")
class Actor:
    kind: ActorKind = strawberry.field(description="What they are.")
    display_name: str = strawberry.field(description="To show. Empty when they were erased.")
    vouched_by: str | None = strawberry.field(description="The host that vouched for the person.")


def who_canceled(row: Cancellation) -> Actor:
    """From the row and what it was read with: no query."""
    if vouched := row.requested_by_vouched:
        return Actor(kind=ActorKind.VOUCHED_PERSON, display_name=vouched.name, vouched_by=vouched.token.name)
    if token := row.requested_by_token:
        return Actor(kind=ActorKind.PARTNER, display_name=token.name, vouched_by=None)
    person = row.requested_by_user
    kind = ActorKind.STAFF if row.by_staff else ActorKind.PERSON
    return Actor(kind=kind, display_name=person.display_name if person else "", vouched_by=None)
