"""Rows by their public ids, many at once: for `node`, and for a gateway that asks for entities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from common.public_ids import Kind
from desk import models as desk_models
from portal.graphql.access import FIELDS
from portal.graphql.context import Info
from portal.graphql.types.billing import Refund
from portal.graphql.types.callbacks import CallbackRequest
from portal.graphql.types.cancellations import Cancellation
from portal.graphql.types.licenses import DirectoryUser, License
from portal.graphql.types.removals import RemovalRequest
from portal.graphql.types.subscriptions import ProductSubscription
from portal.graphql.types.summary import SubscriptionSummary
from subscriptions import models
from subscriptions.selectors.batches import SubscriptionBatch
from subscriptions.selectors.lists import visible
from tenants.models import Tenant

Found = Mapping[int, Any]
# More than a gateway asks for at once.
MAX_IDS = 100


def find_nodes(info: Info, kind: Kind, numbers: Collection[int]) -> Found:
    """Those that the caller sees, by number; a constant number of queries however many. Raises NotPermitted."""
    find = _FINDERS.get(kind)
    return find(info, numbers) if find and numbers else {}


def _tenants(info: Info, numbers: Collection[int]) -> Found:
    rows = visible(Tenant.objects.filter(pk__in=numbers), info.context.caller, "pk")
    return {row.pk: row for row in rows}


def _subscriptions(info: Info, numbers: Collection[int]) -> Found:
    summaries = _summaries(_batch(info, numbers))
    return {pk: ProductSubscription.of(summary) for pk, summary in summaries.items()}


def _batch(info: Info, numbers: Collection[int]) -> SubscriptionBatch:
    return SubscriptionBatch.find_many(list(numbers), info.context.now, info.context.caller)


def _summaries(batch: SubscriptionBatch) -> Mapping[int, SubscriptionSummary]:
    return {summary.row.pk: summary for summary in SubscriptionSummary.page(batch)}


def _cancellations(info: Info, numbers: Collection[int]) -> Found:
    found = visible(models.Cancellation.objects.filter(pk__in=numbers), info.context.caller)
    rows = list(found.select_related("requested_by_user", "requested_by_token", "requested_by_vouched__token"))
    batch = _batch(info, {row.subscription_id for row in rows})
    batch.include_cancellations(rows)
    summaries = _summaries(batch)
    return {row.pk: Cancellation(row=row, summary=summaries[row.subscription_id]) for row in rows}


def _callbacks(info: Info, numbers: Collection[int]) -> Found:
    rows = list(visible(desk_models.CallbackRequest.objects.filter(pk__in=numbers), info.context.caller))
    summaries = _summaries(_batch(info, {row.subscription_id for row in rows}))
    return {row.pk: CallbackRequest(row=row, summary=summaries[row.subscription_id]) for row in rows}


def _refunds(info: Info, numbers: Collection[int]) -> Found:
    links = models.Cancellation.refunds.through.objects.filter(refund__in=numbers)
    seen = visible(links, info.context.caller, "cancellation__tenant")
    rows = seen.select_related("refund__agreement", "cancellation__tenant")
    return {
        link.refund_id: Refund(row=link.refund, now=info.context.now, zone=link.cancellation.tenant.zone)
        for link in rows
    }


def _users(info: Info, numbers: Collection[int]) -> Found:
    FIELDS["node (License, DirectoryUser)"].check(info.context.caller)
    rows = models.DirectoryUser.objects.filter(deleted_at=None, pk__in=numbers)
    return {row.pk: DirectoryUser(row=row) for row in visible(rows, info.context.caller)}


def _licenses(info: Info, numbers: Collection[int]) -> Found:
    FIELDS["node (License, DirectoryUser)"].check(info.context.caller)
    held = models.License.objects.held().filter(pk__in=numbers).select_related("user", "subscription")
    rows = visible(held, info.context.caller, "subscription__tenant")
    by_tenant: dict[int, list[models.License]] = defaultdict(list)
    for row in rows:
        by_tenant[row.subscription.tenant_id].append(row)
    pages = (License.page(info.context.caller, tenant_id, of_one) for tenant_id, of_one in by_tenant.items())
    return {license.row.pk: license for page in pages for license in page}


def _removal_requests(info: Info, numbers: Collection[int]) -> Found:
    caller = info.context.caller
    rows = list(visible(models.RemovalRequest.objects.filter(pk__in=numbers), caller))
    summaries = _summaries(_batch(info, {row.subscription_id for row in rows}))
    return {row.pk: RemovalRequest.of(row.pk, summaries[row.subscription_id], caller) for row in rows}


_FINDERS: Mapping[Kind, Callable[[Info, Collection[int]], Found]] = {
    Kind.TENANT: _tenants,
    Kind.SUBSCRIPTION: _subscriptions,
    Kind.LICENSE: _licenses,
    Kind.USER: _users,
    Kind.CANCELLATION: _cancellations,
    Kind.REFUND: _refunds,
    Kind.CALLBACK: _callbacks,
    Kind.REMOVAL_REQUEST: _removal_requests,
}
