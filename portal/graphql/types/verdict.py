"""What the types about one subscription are made from, and the way from them back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Protocol

import strawberry

from portal.graphql.context import Info
from subscriptions import policy
from subscriptions.models import Subscription
from subscriptions.selectors.batches import SubscriptionBatch

if TYPE_CHECKING:
    from portal.graphql.types.subscriptions import ProductSubscription


class Verdict:
    """The decision on one subscription and what explains it: what every type here is made from."""

    def __init__(self, row: Subscription, batch: SubscriptionBatch) -> None:
        self.row = row
        self.batch = batch

    @classmethod
    def now(cls, info: Info, subscription_id: int) -> Verdict:
        """The verdict of now on a subscription that the caller was already found to see."""
        batch = SubscriptionBatch.of_known(info.context.caller, subscription_id, info.context.now)
        return cls(batch.rows[0], batch)

    @property
    def snapshot(self) -> policy.Snapshot:
        return self.batch.snapshots[self.row.pk]

    @property
    def decision(self) -> policy.Decision:
        return self.batch.decisions[self.row.pk]


class HasVerdict(Protocol):
    """A type about one subscription."""

    verdict: Verdict


def subscription_of(
    root: HasVerdict,
) -> Annotated[ProductSubscription, strawberry.lazy("portal.graphql.types.subscriptions")]:
    """The field ``subscription`` of every type that the subscription itself is made of, hence imported when asked."""
    from portal.graphql.types.subscriptions import ProductSubscription

    return ProductSubscription.of(root.verdict)
