"""Take licenses away from users."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import strawberry

from common.public_ids import Kind, read_id
from portal.graphql.access import FIELDS
from portal.graphql.context import Info
from portal.graphql.fields import mutation
from portal.graphql.types.options import CancellationOptions
from portal.graphql.types.problems import InputProblem, NotAvailableProblem
from portal.graphql.types.removals import RemovalRequest, UserRemoval
from portal.graphql.types.summary import SubscriptionSummary
from subscriptions.directory import licenses as services
from subscriptions.messages.removals import removal_message, would_be_message
from subscriptions.models import DirectoryUser
from tenants.callers import Caller


@strawberry.type(
    description="One outcome for each user. In a dry run what would be is in the options and their facts alone: their subscription is as it is, and quotes are null."
)
class RemoveUsersSuccess:
    removed: strawberry.Private[services.RemovedUsers]
    shows_names: strawberry.Private[bool]
    dry_run: bool = strawberry.field(description="Whether nothing was changed.")

    @strawberry.field(description="In the order of userIds.")
    def results(self) -> list[UserRemoval]:
        say = would_be_message if self.dry_run else removal_message
        return [
            UserRemoval(
                say=partial(say, removal),
                person=partial(self._person, removal.user),
                user_id=strawberry.ID(removal.user_id),
                outcome=removal.outcome,
                group_names=list(removal.group_names),
            )
            for removal in self.removed.removals
        ]

    def _person(self, pk: int) -> DirectoryUser | None:
        return self.removed.users.get(pk) if self.shows_names else None

    removed_count: int = strawberry.field(
        description="How many licenses were taken away at once; in a dry run: would be. 0 where the directory is asked to."
    )
    cancellation_options: CancellationOptions = strawberry.field(
        description="As they stand after the removal (or would, in a dry run)."
    )
    removal_request: RemovalRequest | None = strawberry.field(
        description="Follow it while it is on its way; null where removals are confirmed at once, and in a dry run."
    )


RemoveUsersPayload = Annotated[
    RemoveUsersSuccess | NotAvailableProblem | InputProblem,
    strawberry.union(
        "RemoveUsersPayload", description="One outcome for each user; or why not, with what is possible instead."
    ),
]


@strawberry.input(description="Whose licenses of which subscription.")
class RemoveUsersInput:
    subscription_id: strawberry.ID = strawberry.field(description="The subscription; other ones of these users stay.")
    user_ids: list[strawberry.ID] = strawberry.field(description="At most 10,000.")
    dry_run: bool = strawberry.field(default=False, description="True: answer what would happen, and change nothing.")
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Made by you, at most 255 characters: repeated within 30 days it answers what was done. Null: repeating is harmless, and says NOT_ASSIGNED, or REQUESTED while the directory is asked.",
    )


@strawberry.type
class LicenseMutation:
    @mutation(
        description="Unassigns the licenses of the named users from one subscription: one outcome per user, never all"
        " or nothing."
    )
    def remove_users(
        self,
        info: Info,
        input: RemoveUsersInput,
    ) -> RemoveUsersPayload:
        removed = services.remove_users(
            subscription_id=read_id(Kind.SUBSCRIPTION, input.subscription_id),
            users=[(str(user_id), read_id(Kind.USER, user_id)) for user_id in input.user_ids],
            dry_run=input.dry_run,
            idempotency_key=input.idempotency_key or None,
            **info.context.basics,
        )
        return _removed(removed, info.context.caller, dry_run=input.dry_run)


def _removed(removed: services.RemovedUsers, caller: Caller, *, dry_run: bool) -> RemoveUsersSuccess:
    row = removed.batch.rows[0]
    real = SubscriptionSummary(row, removed.batch)
    would_be = SubscriptionSummary(row, removed.would_be, real=real) if removed.would_be else real
    return RemoveUsersSuccess(
        removed=removed,
        shows_names=FIELDS["UserRemoval.user"].allows(caller, row.tenant_id),
        dry_run=dry_run,
        removed_count=sum(removal.outcome is services.RemovalOutcome.REMOVED for removal in removed.removals),
        cancellation_options=CancellationOptions.of(would_be),
        removal_request=RemovalRequest.of(removed.request_id, real, caller) if removed.request_id else None,
    )
