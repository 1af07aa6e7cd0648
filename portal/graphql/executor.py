"""strawberry and graphql-core, made to do less for the same answer: all that is replaced of them, and nothing else.

A list of twenty subscriptions is a thousand fields; together these take a quarter to a third off its time (docs/decisions/0023).
tests/graphql/test_executor.py answers every document of the suite with and without them, and compares the bytes. What
would make each superfluous upstream is said beside it; then it goes.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from time import monotonic
from typing import Any, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    Undefined,
    get_nullable_type,
    is_leaf_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetails
from graphql.pyutils import Path
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.schema_converter import CustomGraphQLEnumType
from strawberry.types.field import StrawberryField

from portal.graphql.timeouts import NEVER, RequestTimeout


class Executor(StrawberryGraphQLCoreExecutionContext):
    """Walks a document whose resolvers are all synchronous."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # No value is to be awaited, which is asked of every one of them: False, said by C. Superfluous once strawberry's
        # execute_sync passes graphql-core's assume_not_awaitable instead of its optimized_is_awaitable.
        self.is_awaitable = ().__contains__  # type: ignore[assignment]
        self._deadline = getattr(self.context_value, "deadline", NEVER)
        self._infos: dict[int, GraphQLResolveInfo[Any]] = {}  # by id of the node, for one of the types it is asked of

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: list[FieldDetails],
        path: Path,
        position_context: Any,
    ) -> Any:
        """Read a leaf and coerce it, where nothing else is to be done; whatever is odd about it is said by graphql-core.

        The deadline of the request is asked of every field, since not all of them ask the database, which asks, too.

        Most fields of a list are such. Superfluous once graphql-core makes no info, no list of nodes and no arguments
        for a field that has none, and does not ask of every value again which type it is.
        """
        if monotonic() > self._deadline.until:
            raise RequestTimeout
        field = parent_type.fields.get(field_details_list[0].node.name.value)
        read = getattr(field, "read_leaf", None)
        if read is not None:
            try:
                value = read(source)
            except Exception:
                value = Undefined
            if value is not Undefined:
                return value
        return super().execute_field(parent_type, source, field_details_list, path, position_context)

    def build_resolve_info(
        self, field_def: GraphQLField, field_nodes: list[FieldNode], parent_type: GraphQLObjectType, path: Path
    ) -> GraphQLResolveInfo[Any]:
        """What the resolver is told, made once for all rows of a list where it does not look.

        It would differ by the path alone. Superfluous once graphql-core makes it when it is looked at.
        """
        node = id(field_nodes[0])
        found = self._infos.get(node)
        if found is None or found.parent_type is not parent_type:
            found = super().build_resolve_info(field_def, field_nodes, parent_type, path)
            if hasattr(field_def.resolve, "looks_at_no_info"):
                self._infos[node] = found
        return found


def patch(schema: GraphQLSchema) -> None:
    """Replace the resolvers and the names of enum members of a schema that strawberry made."""
    for graphql_type in schema.type_map.values():
        if isinstance(graphql_type, CustomGraphQLEnumType):
            graphql_type.coerce_output_value = _by_member(graphql_type)  # type: ignore[method-assign, assignment]
    for graphql_type in schema.type_map.values():
        for field in getattr(graphql_type, "fields", {}).values():
            definition = field.extensions.get("strawberry-definition")
            if isinstance(definition, StrawberryField) and (resolve := _directly(definition)):
                field.resolve, leaf = resolve, get_nullable_type(field.type)
                if is_leaf_type(leaf):
                    nullable = not is_non_null_type(field.type)
                    field.read_leaf = _read_and_coerce(resolve, leaf.coerce_output_value, nullable=nullable)


def _read_and_coerce(
    resolve: Callable[..., Any], coerce: Callable[[Any], Any], *, nullable: bool
) -> Callable[[Any], Any]:
    """The value as it is sent, or Undefined where there is more to it."""
    of_none = None if nullable else Undefined

    def read(source: Any) -> Any:
        value = resolve(source, None)
        if value is None:
            return of_none
        found = Undefined if isinstance(value, Exception) else coerce(value)
        return Undefined if found is None else found

    return read


def _directly(field: StrawberryField) -> Callable[..., Any] | None:
    """Read an attribute, or call a method that takes nothing, without the calls that strawberry makes around them.

    Superfluous once strawberry makes no Info, and no lists of arguments, for resolvers that take none.
    """
    resolver = field.base_resolver
    if field.extensions or field.arguments or (resolver and resolver.info_parameter):
        return None
    read = cast(Callable[[Any], Any], resolver.wrapped_func if resolver else attrgetter(field.python_name))

    def resolve(source: Any, _info: GraphQLResolveInfo[Any]) -> Any:
        return read(source)

    resolve.looks_at_no_info = True  # type: ignore[attr-defined]
    return resolve


def _by_member(enum: CustomGraphQLEnumType) -> Callable[[Any], str]:
    """The name of a member, looked up. Superfluous once strawberry does not compare it with every member of its enum."""
    names: dict[Any, str] = {enum.wrapped_cls(value.value): name for name, value in enum.values.items()}
    search = enum.coerce_output_value
    return lambda value: names.get(value) or search(value)  # asked once: hashing a member is a call of its own
