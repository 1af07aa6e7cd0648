"""What the types about one subscription are made from, and the way from them back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Protocol

import strawberry

from desk.selectors import Calls
from portal.graphql.context import Info
from subscriptions.models import Subscription
from subscriptions.policy.decision import Decision
from subscriptions.policy.facts import Snapshot
from subscriptions.selectors.batches import SubscriptionBatch

if TYPE_CHECKING:
    from portal.graphql.types.subscriptions import ProductSubscription


class SubscriptionSummary:
    """The decision on one subscription and what explains it: what every type here is made from.

    ``real``: what is true now, where this only would be: an id leads to nothing else, because clients cache by it.
    """

    def __init__(
        self,
        row: Subscription,
        batch: SubscriptionBatch,
        calls: Calls | None = None,
        *,
        real: SubscriptionSummary | None = None,
    ) -> None:
        self.row = row
        self.batch = batch
        self.calls = calls or Calls([row.pk])
        self.real = real or self

    @classmethod
    def page(cls, batch: SubscriptionBatch) -> list[SubscriptionSummary]:
        """One for each of a page; they ask for what explains them together."""
        calls = Calls(row.pk for row in batch.rows)
        return [cls(row, batch, calls) for row in batch.rows]

    @classmethod
    def now(cls, info: Info, subscription_id: int) -> SubscriptionSummary:
        """The summary of now on a subscription that the caller was already found to see."""
        batch = SubscriptionBatch.get(info.context.caller, subscription_id, info.context.now)
        return cls(batch.rows[0], batch)

    @property
    def snapshot(self) -> Snapshot:
        return self.batch.snapshots[self.row.pk]

    @property
    def decision(self) -> Decision:
        return self.batch.decisions[self.row.pk]


class HasSummary(Protocol):
    """A type about one subscription."""

    summary: SubscriptionSummary


def subscription_of(
    root: HasSummary,
) -> Annotated[ProductSubscription, strawberry.lazy("portal.graphql.types.subscriptions")]:
    """The field ``subscription`` of every type that the subscription itself is made of, hence imported when asked."""
    from portal.graphql.types.subscriptions import ProductSubscription

    return ProductSubscription.of(root.summary.real)
