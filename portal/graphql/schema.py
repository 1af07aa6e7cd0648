"""The schema: the nouns put together, and what becomes of errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import strawberry
from django.conf import settings
from graphql import GraphQLError
from strawberry.extensions import MaxTokensLimiter, ParserCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from portal.graphql.access import ACCOUNTS, MUTATIONS, QUERIES
from portal.graphql.executor import Executor, patch
from portal.graphql.fields import require_asking
from portal.graphql.limits import LimitedValidation
from portal.graphql.mutations.accounts import AccountMutation
from portal.graphql.mutations.callbacks import CallbackMutation
from portal.graphql.mutations.cancellations import CancellationMutation
from portal.graphql.mutations.licenses import LicenseMutation
from portal.graphql.mutations.refunds import RefundMutation
from portal.graphql.mutations.removals import RemovalMutation
from portal.graphql.mutations.sessions import SessionMutation
from portal.graphql.mutations.webhooks import WebhookMutation
from portal.graphql.queries import Query
from portal.graphql.scalars import SCALARS
from portal.graphql.types.problems import Problem


@strawberry.type(
    description="What can be changed. Each answers a union: its success, or a Problem that says what to do."
)
class Mutation(
    CancellationMutation,
    LicenseMutation,
    RemovalMutation,
    CallbackMutation,
    RefundMutation,
    AccountMutation,
    WebhookMutation,
    SessionMutation,
):
    pass


class Schema(strawberry.Schema):
    """Logs nothing by itself: the view logs what is worth it, without the document."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "execution_context_class": Executor})
        patch(self._schema)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        pass


def extensions(of: Callable[[], strawberry.Schema]) -> list[Any]:
    """What guards a schema: limits before validation, and what was parsed and validated once."""
    return [
        lambda: MaxTokensLimiter(max_token_count=settings.GRAPHQL_LIMITS["tokens"]),
        lambda: ParserCache(maxsize=500),
        lambda: LimitedValidation(of()._schema, maxsize=500),
    ]


schema: Schema = Schema(
    query=Query,
    mutation=Mutation,
    types=[Problem],
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=extensions(lambda: schema),
)
require_asking(schema._schema, QUERIES, MUTATIONS, ACCOUNTS)
