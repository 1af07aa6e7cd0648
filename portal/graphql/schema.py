"""The schema: the nouns put together, and what becomes of errors."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import strawberry
from django.utils.translation import gettext as _
from graphql import GraphQLError
from strawberry.extensions import MaxTokensLimiter, ParserCache, ValidationCache
from strawberry.extensions.base_extension import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from portal.graphql.billing import Refund
from portal.graphql.callbacks import CallbackMutation, CallbackQuery, find_callback
from portal.graphql.cancellations import CancellationMutation, find_cancellation
from portal.graphql.context import Info
from portal.graphql.ids import Kind, split_id
from portal.graphql.licenses import DirectoryUser, License, LicenseMutation
from portal.graphql.node import Node
from portal.graphql.problems import Problem
from portal.graphql.scalars import SCALARS
from portal.graphql.subscriptions import SubscriptionQuery, find_subscription
from portal.graphql.viewer import ViewerQuery
from subscriptions import models, wording
from subscriptions.errors import SubscriptionError
from subscriptions.selectors import visible
from tenants.callers import Scope
from tenants.models import Tenant

logger = logging.getLogger("wayout.graphql")


@strawberry.type
class Query(ViewerQuery, SubscriptionQuery, CallbackQuery):
    @strawberry.field
    def node(self, info: Info, id: strawberry.ID) -> Node | None:
        info.context.reader()
        found = split_id(id)
        return _NODES[found[0]](info, found[1]) if found and found[0] in _NODES else None


@strawberry.type
class Mutation(CancellationMutation, LicenseMutation, CallbackMutation):
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


class CodedErrors(SchemaExtension):
    """Gives every error a code; what nobody expected is masked and logged under an id that the client sees."""

    def on_operation(self) -> Any:
        """Rewrite the errors of the result, after it is made."""
        yield
        result = self.execution_context.result
        if result is not None and getattr(result, "errors", None):
            result.errors = [_coded(error) for error in result.errors]  # type: ignore[union-attr]


def _coded(error: GraphQLError) -> GraphQLError:
    cause = error.original_error
    if isinstance(cause, SubscriptionError):
        message, extensions = wording.error_message(cause), {"code": cause.code, "path": cause.path}
    elif cause is None or isinstance(cause, GraphQLError):
        message, extensions = error.message, {"code": "INPUT_INVALID", "path": []}
    else:
        correlation_id = uuid.uuid4().hex
        logger.error("unexpected error %s", correlation_id, exc_info=cause)
        message = _("Something went wrong on our side. Tell us this number: %(id)s") % {"id": correlation_id}
        extensions = {"code": "INTERNAL_ERROR", "correlationId": correlation_id}
    return GraphQLError(message, nodes=error.nodes, path=error.path, extensions=extensions)


class Schema(strawberry.Schema):
    """Logs nothing by itself: CodedErrors logs what is worth it, without the document."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave it to CodedErrors."""


schema = Schema(
    query=Query,
    mutation=Mutation,
    types=[Problem],
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=[
        lambda: MaxTokensLimiter(max_token_count=1000),
        lambda: ParserCache(maxsize=500),
        lambda: ValidationCache(maxsize=500),
        CodedErrors,
    ],
)
