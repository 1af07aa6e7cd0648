"""What becomes of removals: of each user of a call, and of a request that is followed."""

from __future__ import annotations

from collections.abc import Callable

import strawberry

from common.public_ids import Kind, public_id
from portal.graphql.access import FIELDS
from portal.graphql.types.licenses import DirectoryUser
from portal.graphql.types.node import Node
from portal.graphql.types.summary import SubscriptionSummary, subscription_of
from subscriptions import models
from subscriptions.directory import licenses as services
from subscriptions.messages.removals import refusal_message
from subscriptions.models import RemovalStatus
from subscriptions.selectors.removals import RequestProgress
from tenants.callers import Caller


@strawberry.type(description="What became of one entry of userIds, or of one user of a request.")
class UserRemoval:
    say: strawberry.Private[Callable[[], str]]
    person: strawberry.Private[Callable[[], models.DirectoryUser | None]]
    user_id: strawberry.ID = strawberry.field(description="As it was sent.")

    @strawberry.field(description="Who it is. Null without READ_USERS, and for one who is not there.")
    def user(self) -> DirectoryUser | None:
        row = self.person()
        return DirectoryUser(row=row) if row else None

    outcome: services.RemovalOutcome = strawberry.field(description="What became of the license.")
    group_names: list[str] = strawberry.field(description="The groups that hand it out. Empty where none does.")

    @strawberry.field(description="One sentence for people, in the request's language.")
    def message(self) -> str:
        return self.say()


@strawberry.type(description="Removals that somebody else carries out, as one call of removeUsers asked for them.")
class RemovalRequest(Node):
    summary: strawberry.Private[SubscriptionSummary]
    progress: strawberry.Private[RequestProgress]
    caller: strawberry.Private[Caller]

    @classmethod
    def of(cls, request_id: int, summary: SubscriptionSummary, caller: Caller) -> RemovalRequest:
        return cls(summary=summary, progress=RequestProgress(request_id), caller=caller)

    def public_id(self) -> tuple[Kind, int]:
        return Kind.REMOVAL_REQUEST, self.progress.request_id

    @strawberry.field(
        description="How many the directory was asked for and has not decided: 0 once there is nothing to wait for."
    )
    def requested(self) -> int:
        return self.progress.count(RemovalStatus.REQUESTED)

    @strawberry.field(description="How many it has carried out: these licenses count no more.")
    def confirmed(self) -> int:
        return self.progress.count(RemovalStatus.CONFIRMED)

    @strawberry.field(description="How many it has refused: these licenses count on, and may be asked for anew.")
    def refused(self) -> int:
        return self.progress.count(RemovalStatus.REFUSED)

    @strawberry.field(description="Those refused, with reasons.")
    def refusals(self) -> list[UserRemoval]:
        tenant_id = self.summary.row.tenant_id
        shows_names = FIELDS["UserRemoval.user"].allows(self.caller, tenant_id)
        with_text = FIELDS["Removal.reason (text)"].allows(self.caller, tenant_id)
        return [_refusal(row, shows_names=shows_names, with_text=with_text) for row in self.progress.refusals]

    subscription = strawberry.field(resolver=subscription_of, description="What the licenses are of.")


def _refusal(row: models.Removal, *, shows_names: bool, with_text: bool) -> UserRemoval:
    user = row.license.user
    return UserRemoval(
        say=lambda: refusal_message(row, with_text=with_text),
        person=lambda: user if shows_names else None,
        user_id=strawberry.ID(public_id(Kind.USER, user.pk)),
        outcome=services.RemovalOutcome.REFUSED,
        group_names=sorted(group.name for group in row.license.groups.all()),
    )
