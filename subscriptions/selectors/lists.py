"""Which rows: those that a caller sees, newest first, with a search."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db import connection
from django.db.models import Model, Q, QuerySet

from common.search import fold
from subscriptions.models import DirectoryUser, License, Subscription
from subscriptions.models.plans import SubscriptionQuerySet
from subscriptions.policy.facts import Status
from subscriptions.selectors.rows import find_rows, newest
from tenants.callers import Caller

Row = TypeVar("Row", bound=Model)
_BATCH_SIZE = 2_000
# Of the index of words, which holds them three letters at a time.
_SHORTEST_WORD = 3


def visible(rows: QuerySet[Row], caller: Caller, tenant: str = "tenant") -> QuerySet[Row]:
    """Only the rows of tenants that the caller sees; ``tenant`` is the path to it."""
    return rows if caller.reaches_all else rows.filter(**{f"{tenant}__in": caller.visible_tenant_ids})


@dataclass(frozen=True, slots=True)
class Listing:
    """The subscriptions of some tenants, None: of all, perhaps only those in a status or found by a search, newest first."""

    tenants: Collection[int] | None
    statuses: Collection[Status]
    search: str
    at: datetime

    def count(self) -> int:
        """How many there are. One query."""
        return self._rows().count()

    def newest(self, before: int | None, limit: int) -> Sequence[Subscription]:
        """Those of ids below ``before``, newest first, as many as ``limit``, ready for a batch. At most two queries."""
        if self.tenants is not None and not self.statuses and not self.search:
            return newest(self.tenants, before, limit)
        rows = self._rows() if before is None else self._rows().filter(pk__lt=before)
        found = find_rows(rows.order_by("-pk").values_list("pk", flat=True)[:limit])
        return sorted(found, key=lambda row: row.pk, reverse=True)

    def _rows(self) -> SubscriptionQuerySet:
        rows = (
            Subscription.objects.all() if self.tenants is None else Subscription.objects.filter(tenant__in=self.tenants)
        )
        if self.statuses:
            rows = rows.in_status(self.statuses, self.at)
        if not self.search:
            return rows
        key = fold(self.search)
        by_name = Q(plan__search_key__contains=key) | Q(tenant__search_key__contains=key)
        named = self.search.strip()
        by_id = Q(external_id__iexact=named) | Q(tenant__external_id__iexact=named)
        return rows.filter(by_name | by_id)


def licenses_at(subscription_id: int, at: datetime) -> int:
    """How many users held a license at an earlier instant, as far as assignments and removals are on record."""
    return (
        License.objects.filter(Q(assigned_at=None) | Q(assigned_at__lte=at), subscription=subscription_id)
        .filter(Q(is_direct=True) | Q(is_inherited=True) | Q(removed_at__gt=at))
        .filter(Q(user__deleted_at=None) | Q(user__deleted_at__gt=at))
        .count()
    )


def license_rows(subscription: Subscription, search: str | None) -> QuerySet[License]:
    """The held licenses of one subscription; ``search`` in names, in either alphabet, or a whole id.

    The tenant is named so that a page by activity can follow the index over the tenant's users. Where a search finds
    few of them, which takes a query to know, it begins with those: walking to them could be long.
    """
    held = License.objects.held().filter(subscription=subscription, user__tenant=subscription.tenant_id)
    held = held.select_related("user")
    if not search:
        return held
    key = fold(search)
    meant = Q(search_key__contains=key) | Q(external_id=search)
    found = DirectoryUser.objects.filter(meant, tenant=subscription.tenant_id).values("pk")
    has_index = connection.vendor == "postgresql" and len(key) >= _SHORTEST_WORD
    if not has_index or found[: _BATCH_SIZE + 1].count() > _BATCH_SIZE:
        return held.filter(Q(user__search_key__contains=key) | Q(user__external_id=search))
    # The limit, which cuts nothing off, keeps PostgreSQL from walking after all.
    return held.filter(user__in=found[:_BATCH_SIZE])
