"""Say what a directory made of removals."""

from __future__ import annotations

from typing import Annotated

import strawberry

from portal.graphql.context import Info
from portal.graphql.fields import mutation
from portal.graphql.types.problems import InputProblem
from subscriptions.carriers.base import CONFIRMED, Carried, RefusalReason
from subscriptions.directory.settling import Settlement, settle_removals


@strawberry.input(description="What the directory made of one removal.")
class RemovalSettlementInput:
    user_external_id: str = strawberry.field(description="Whose license it is: the host's id of the user.")
    subscription_external_id: str = strawberry.field(description="What of: the host's id of the subscription.")
    tenant_external_id: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The host's id of the customer. Null: the one tenant that the token sees; where it sees more, name it.",
    )
    confirmed: bool = strawberry.field(description="True: the license is taken away. False: it will not be.")
    reason: RefusalReason | None = strawberry.field(default=strawberry.UNSET, description="Why not; see RefusalReason.")
    text: str | None = strawberry.field(
        default=strawberry.UNSET, description="For staff and the tenant's admins; never in events."
    )

    def settlement(self) -> Settlement:
        """A refusal without a reason has another one than those listed."""
        refused = Carried.refused(self.reason or RefusalReason.OTHER, self.text or "")
        return Settlement(
            user=self.user_external_id,
            subscription=self.subscription_external_id,
            tenant=self.tenant_external_id or "",
            carried=CONFIRMED if self.confirmed else refused,
        )


@strawberry.input(description="What the directory made of removals.")
class SettleRemovalsInput:
    removals: list[RemovalSettlementInput] = strawberry.field(description="At most 1,000.")


@strawberry.type(description="What stands now; each entry is counted in one of the three.")
class SettleRemovalsSuccess:
    settled_count: int = strawberry.field(
        name="settled", description="How many stand as they were sent: by this call, or by one before."
    )
    conflicts: list[str] = strawberry.field(description="Settled before in the other sense; unchanged.")
    unknown: list[str] = strawberry.field(
        description="The userExternalId of entries that no removal was ever asked for, or of a tenant that the token does not see."
    )


SettleRemovalsPayload = Annotated[
    SettleRemovalsSuccess | InputProblem,
    strawberry.union("SettleRemovalsPayload", description="What stands now; or why nothing was taken."),
]


@strawberry.type
class RemovalMutation:
    @mutation(
        description="What the directory made of removals, one outcome each; repeating it is harmless. Scope SYNC."
    )
    def settle_removals(self, info: Info, input: SettleRemovalsInput) -> SettleRemovalsPayload:
        settlements = [removal.settlement() for removal in input.removals]
        done = settle_removals(settlements=settlements, **info.context.basics)
        return SettleRemovalsSuccess(settled_count=done.count, conflicts=done.conflicts, unknown=done.unknown)
