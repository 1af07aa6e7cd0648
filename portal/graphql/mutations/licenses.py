"""Take licenses away from users."""

from __future__ import annotations

from typing import Annotated

import strawberry

from common.public_ids import Kind, read_id
from portal.graphql.access import FIELDS
from portal.graphql.context import Info
from portal.graphql.fields import mutation
from portal.graphql.types.licenses import DirectoryUser
from portal.graphql.types.options import CancellationOptions
from portal.graphql.types.problems import InputProblem, NotAvailableProblem
from portal.graphql.types.summary import SubscriptionSummary
from subscriptions.directory import licenses as services
from subscriptions.messages.removals import removal_message, would_be_message
from tenants.callers import Caller


@strawberry.type(description="What became of one entry of userIds.")
class UserRemoval:
    removal: strawberry.Private[services.Removal]
    of: strawberry.Private[RemoveUsersSuccess]
    user_id: strawberry.ID = strawberry.field(description="As it was sent.")

    @strawberry.field(description="Who it is. Null without READ_USERS, and for one who is not there.")
    def user(self) -> DirectoryUser | None:
        row = self.of.removed.users.get(self.removal.user) if self.of.shows_names else None
        return DirectoryUser(row=row) if row else None

    outcome: services.RemovalOutcome = strawberry.field(description="What became of the license.")
    group_names: list[str] = strawberry.field(description="The groups that hand it out. Empty where none does.")

    @strawberry.field(description="One sentence for people, in the request's language.")
    def message(self) -> str:
        say = would_be_message if self.of.dry_run else removal_message
        return say(self.removal)


@strawberry.type(description="One outcome for each user.")
class RemoveUsersSuccess:
    removed: strawberry.Private[services.RemovedUsers]
    shows_names: strawberry.Private[bool]
    dry_run: bool = strawberry.field(description="Whether nothing was changed.")

    @strawberry.field(description="In the order of userIds.")
    def results(self) -> list[UserRemoval]:
        return [
            UserRemoval(
                removal=removal,
                of=self,
                user_id=strawberry.ID(removal.user_id),
                outcome=removal.outcome,
                group_names=list(removal.group_names),
            )
            for removal in self.removed.removals
        ]

    removed_count: int = strawberry.field(description="How many licenses were taken away; in a dry run: would be.")
    cancellation_options: CancellationOptions = strawberry.field(
        description="As they stand after the removal (or would, in a dry run)."
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
        description="Made by you, at most 255 characters: repeated within 30 days it answers what was done. Null: repeating is harmless, and says NOT_ASSIGNED.",
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
    return RemoveUsersSuccess(
        removed=removed,
        shows_names=FIELDS["UserRemoval.user"].allows(caller, row.tenant_id),
        dry_run=dry_run,
        removed_count=sum(removal.outcome is services.RemovalOutcome.REMOVED for removal in removed.removals),
        cancellation_options=CancellationOptions.of(SubscriptionSummary(row, removed.batch)),
    )
