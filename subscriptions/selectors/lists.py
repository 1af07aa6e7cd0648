"""Which rows: those that a caller sees, newest first, with a search."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from django.db import connection
from django.db.models import Model, Q, QuerySet

from subscriptions.models import DirectoryUser, License, Subscription
from subscriptions.models.plans import SubscriptionQuerySet
from subscriptions.policy import Status
from tenants.callers import Caller
from tenants.compiled import Compiled
from tenants.search import fold

Row = TypeVar("Row", bound=Model)
# A largest page, and one to see whether there are more.
_MOST = 101
_NO_ID = 2**63 - 1
_FEW = 2_000
# Of the index of words, which holds them three letters at a time.
_SHORTEST_WORD = 3


def visible(rows: QuerySet[Row], caller: Caller, tenant: str = "tenant") -> QuerySet[Row]:
    """Only the rows of tenants that the caller sees; ``tenant`` is the path to it."""
    return rows if caller.reaches_all else rows.filter(**{f"{tenant}__in": caller.visible_tenant_ids})


_NEWEST = Compiled(
    lambda tenants, before: (
        Subscription.objects.filter(tenant__in=tenants, pk__lt=before).order_by("-pk").values_list("pk")[:_MOST]
    )
)


@dataclass(frozen=True, slots=True)
class Listing:
    """The subscriptions of some tenants, perhaps only those in a status or found by a search, newest first."""

    tenants: Collection[int]
    statuses: Collection[Status]
    search: str
    at: datetime

    def count(self) -> int:
        """How many there are. One query."""
        return self._rows().count()

    def ids(self, before: int | None) -> QuerySet[Subscription, int] | Sequence[int]:
        """The ids below ``before``, newest first: all, or more than a page of them. One query when it is looked at."""
        most = _NO_ID if before is None else before
        if self.statuses or self.search:
            return self._rows().filter(pk__lt=most).order_by("-pk").values_list("pk", flat=True)
        return sorted((pk for (pk,) in _NEWEST.rows(self.tenants, most)), reverse=True)[:_MOST]

    def _rows(self) -> SubscriptionQuerySet:
        rows = Subscription.objects.filter(tenant__in=self.tenants)
        if self.statuses:
            rows = rows.in_status(self.statuses, self.at)
        if not self.search:
            return rows
        key = fold(self.search)
        by_name = Q(plan__search_key__contains=key) | Q(tenant__search_key__contains=key)
        return rows.filter(by_name | Q(external_id__iexact=self.search.strip()))


def licenses_at(subscription_id: int, at: datetime) -> int:
    """How many users held a license at an earlier instant, as far as assignments and removals are on record."""
    return (
        License.objects.filter(Q(assigned_at=None) | Q(assigned_at__lte=at), subscription=subscription_id)
        .filter(Q(is_direct=True) | Q(is_inherited=True) | Q(removed_at__gt=at))
        .filter(Q(user__deleted_at=None) | Q(user__deleted_at__gt=at))
        .count()
    )


def license_rows(subscription: Subscription, search: str | None) -> QuerySet[License]:
    """The held licenses of one subscription; ``search`` in names and principal names, in either alphabet.

    The tenant is named so that a page by activity can follow the index over the tenant's users. Where a search finds
    few of them, which takes a query to know, it begins with those: walking to them could be long.
    """
    held = License.objects.held().filter(subscription=subscription, user__tenant=subscription.tenant_id)
    held = held.select_related("user")
    if not search:
        return held
    key = fold(search)
    found = DirectoryUser.objects.filter(tenant=subscription.tenant_id, search_key__contains=key).values("pk")
    has_index = connection.vendor == "postgresql" and len(key) >= _SHORTEST_WORD
    if not has_index or found[: _FEW + 1].count() > _FEW:
        return held.filter(user__search_key__contains=key)
    # The limit, which cuts nothing off, keeps PostgreSQL from walking after all.
    return held.filter(user__in=found[:_FEW])
