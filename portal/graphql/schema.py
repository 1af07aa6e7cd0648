"""The schema: the nouns put together, and what becomes of errors."""

from __future__ import annotations

import functools
from typing import Any

import strawberry
from django.conf import settings
from graphql import GraphQLError
from strawberry.extensions import MaxTokensLimiter, ParserCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from portal.graphql.access import QUERIES
from portal.graphql.accounts import AccountMutation
from portal.graphql.billing import Refund
from portal.graphql.callbacks import CallbackMutation, CallbackQuery, find_callback
from portal.graphql.cancellations import CancellationMutation, find_cancellation
from portal.graphql.context import Info
from portal.graphql.ids import Kind, split_id
from portal.graphql.licenses import DirectoryUser, License, LicenseMutation
from portal.graphql.limits import LimitedValidation, page_sizes
from portal.graphql.node import Node
from portal.graphql.problems import Problem
from portal.graphql.scalars import SCALARS
from portal.graphql.subscriptions import SubscriptionQuery, find_subscription
from portal.graphql.viewer import ViewerQuery
from subscriptions import models
from subscriptions.selectors import visible
from tenants.callers import Scope
from tenants.models import Tenant


@strawberry.type
class Query(ViewerQuery, SubscriptionQuery, CallbackQuery):
    @strawberry.field
    def node(self, info: Info, id: strawberry.ID) -> Node | None:
        info.context.reader(*QUERIES["node"])
        found = split_id(id)
        return _NODES[found[0]](info, found[1]) if found and found[0] in _NODES else None


@strawberry.type
class Mutation(CancellationMutation, LicenseMutation, CallbackMutation, AccountMutation):
    pass


def _tenant(info: Info, pk: int) -> Any:
    return visible(Tenant.objects.all(), info.context.caller, "pk").filter(pk=pk).first()


def _license(info: Info, pk: int) -> License | None:
    info.context.reader(Scope.READ_USERS)
    rows = visible(models.License.objects.held(), info.context.caller, "subscription__tenant")
    row = rows.select_related("user").filter(pk=pk).first()
    return License(row=row) if row else None


def _user(info: Info, pk: int) -> DirectoryUser | None:
    info.context.reader(Scope.READ_USERS)
    row = visible(models.DirectoryUser.objects.filter(deleted_at=None), info.context.caller).filter(pk=pk).first()
    return DirectoryUser(row=row) if row else None


def _refund(info: Info, pk: int) -> Refund | None:
    rows = visible(models.Cancellation.objects.filter(refunds=pk), info.context.caller).select_related("tenant")
    cancellation = rows.first()
    if cancellation is None:
        return None
    row = cancellation.refunds.select_related("agreement").get(pk=pk)
    return Refund(row=row, now=info.context.now, zone=cancellation.tenant.zone)


_NODES: dict[Kind, Any] = {
    Kind.TENANT: _tenant,
    Kind.SUBSCRIPTION: find_subscription,
    Kind.LICENSE: _license,
    Kind.USER: _user,
    Kind.CANCELLATION: find_cancellation,
    Kind.REFUND: _refund,
    Kind.CALLBACK: find_callback,
}


class Schema(strawberry.Schema):
    """Logs nothing by itself: the view logs what is worth it, without the document."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave it to the view."""


@functools.cache
def _page_sizes() -> dict[str, int]:
    return page_sizes(schema._schema)


schema = Schema(
    query=Query,
    mutation=Mutation,
    types=[Problem],
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=[
        lambda: MaxTokensLimiter(max_token_count=settings.GRAPHQL_LIMITS["tokens"]),
        lambda: ParserCache(maxsize=500),
        lambda: LimitedValidation(_page_sizes(), maxsize=500),
    ],
)
