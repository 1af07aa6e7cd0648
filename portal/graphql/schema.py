"""The schema: the nouns put together, and what becomes of errors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from operator import attrgetter
from typing import Any, cast

import strawberry
from django.conf import settings
from graphql import FieldNode, GraphQLError, GraphQLField, GraphQLObjectType, GraphQLResolveInfo
from graphql.pyutils import Path
from strawberry.extensions import MaxTokensLimiter, ParserCache
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import CustomGraphQLEnumType
from strawberry.types import ExecutionContext
from strawberry.types.field import StrawberryField

from portal.graphql.limits import LimitedValidation, page_sizes
from portal.graphql.mutations.accounts import AccountMutation
from portal.graphql.mutations.callbacks import CallbackMutation
from portal.graphql.mutations.cancellations import CancellationMutation
from portal.graphql.mutations.licenses import LicenseMutation
from portal.graphql.mutations.webhooks import WebhookMutation
from portal.graphql.queries import Query
from portal.graphql.scalars import SCALARS
from portal.graphql.types.problems import Problem


@strawberry.type
class Mutation(CancellationMutation, LicenseMutation, CallbackMutation, AccountMutation, WebhookMutation):
    pass


class _Executor(StrawberryGraphQLCoreExecutionContext):
    """Every resolver here is synchronous, so that no value has to be asked whether it is to be awaited.

    What a resolver is told of its field is made once for all rows of a list where it does not look: it would differ by
    the path alone. That is a sixteenth of a large answer.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # False, said by C: it is asked for every value.
        self.is_awaitable = ().__contains__  # type: ignore[assignment]
        self._infos: dict[tuple[GraphQLObjectType, int], GraphQLResolveInfo[Any]] = {}

    def build_resolve_info(
        self, field_def: GraphQLField, field_nodes: list[FieldNode], parent_type: GraphQLObjectType, path: Path
    ) -> GraphQLResolveInfo[Any]:
        """What the resolver is told."""
        if not hasattr(field_def.resolve, "looks_at_no_info"):
            return super().build_resolve_info(field_def, field_nodes, parent_type, path)
        key = (parent_type, id(field_nodes[0]))
        found = self._infos.get(key)
        if found is None:
            found = self._infos[key] = super().build_resolve_info(field_def, field_nodes, parent_type, path)
        return found


def _directly(field: StrawberryField) -> Callable[..., Any] | None:
    """Read an attribute, or call a method that takes nothing, without the calls that strawberry makes around them."""
    resolver = field.base_resolver
    if field.extensions or field.arguments or (resolver and resolver.info_parameter):
        return None
    read = cast(Callable[[Any], Any], resolver.wrapped_func if resolver else attrgetter(field.python_name))

    def resolve(source: Any, _info: GraphQLResolveInfo[Any]) -> Any:
        return read(source)

    resolve.looks_at_no_info = True  # type: ignore[attr-defined]
    return resolve


def _by_member(enum: CustomGraphQLEnumType) -> Callable[[Any], str]:
    """The name of a member, looked up: strawberry compares it with every member of its enum."""
    names: dict[Any, str] = {enum.wrapped_cls(value.value): name for name, value in enum.values.items()}
    search = enum.coerce_output_value
    return lambda value: names[value] if value in names else search(value)


class Schema(strawberry.Schema):
    """Logs nothing by itself: the view logs what is worth it, without the document."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "execution_context_class": _Executor})
        for graphql_type in self._schema.type_map.values():
            if isinstance(graphql_type, CustomGraphQLEnumType):
                graphql_type.coerce_output_value = _by_member(graphql_type)  # type: ignore[method-assign, assignment]
            for field in getattr(graphql_type, "fields", {}).values():
                definition = field.extensions.get("strawberry-definition")
                if isinstance(definition, StrawberryField):
                    field.resolve = _directly(definition) or field.resolve

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Leave it to the view."""


def extensions(of: Callable[[], strawberry.Schema]) -> list[Any]:
    """What guards a schema: limits before validation, and what was parsed and validated once."""
    sizes = functools.cache(lambda: page_sizes(of()._schema))
    return [
        lambda: MaxTokensLimiter(max_token_count=settings.GRAPHQL_LIMITS["tokens"]),
        lambda: ParserCache(maxsize=500),
        lambda: LimitedValidation(sizes(), maxsize=500),
    ]


schema: Schema = Schema(
    query=Query,
    mutation=Mutation,
    types=[Problem],
    config=StrawberryConfig(scalar_map=SCALARS),
    extensions=extensions(lambda: schema),
)
