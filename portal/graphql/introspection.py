"""How many fields a question about the schema itself answers: counted exactly, since the answer is always the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    SelectionSetNode,
    StringValueNode,
    get_named_type,
    get_nullable_type,
    introspection_types,
    is_list_type,
)

_OWN = {"__schema": "__Schema", "__type": "__Type"}


class TooMuch(Exception):
    """More is asked for than may be."""


class Introspection:
    """Counts what selections on the types of a schema answer, each selection once for each thing it is about.

    So counting takes no more steps than there are fields to answer. Raises TooMuch past ``limit`` of either.
    """

    def __init__(self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], limit: int) -> None:
        # Named as in what resolvers are told: they look at nothing else of it.
        self.schema = schema
        self._fragments = fragments
        self._left = limit
        self._known: dict[tuple[int, int], int] = {}

    def cost(self, node: FieldNode) -> int:
        """Fields below ``__schema`` or ``__type``; 0 for any other. A type whose name comes by a variable counts as the largest."""
        kind = _OWN.get(node.name.value)
        if kind is None or node.selection_set is None:
            return 0
        of = cast(GraphQLObjectType, introspection_types[kind])
        about = [self.schema] if kind == "__Schema" else self._types(node)
        return max((self._selection(node.selection_set, of, value) for value in about), default=0)

    def _types(self, node: FieldNode) -> Iterable[Any]:
        """Which types may be meant."""
        for argument in node.arguments or ():
            if argument.name.value == "name" and isinstance(argument.value, StringValueNode):
                named = self.schema.type_map.get(argument.value.value)
                return [named] if named else []
        return self.schema.type_map.values()

    def _selection(self, selection_set: SelectionSetNode, of: GraphQLObjectType, value: Any) -> int:
        # A field comes as a new pair of its name and itself each time.
        key = (id(selection_set), id(value[1] if isinstance(value, tuple) else value))
        if key not in self._known:
            self._known[key] = 0  # A fragment inside itself has no end; validation says so.
            self._known[key] = sum(self._node(node, of, value) for node in selection_set.selections)
        return self._known[key]

    def _node(self, node: Any, of: GraphQLObjectType, value: Any) -> int:
        self._left -= 1
        if self._left < 0:
            raise TooMuch
        match node:
            case FieldNode():
                if node.selection_set is None:
                    return 1
                return 1 + sum(
                    self._selection(node.selection_set, kind, below) for kind, below in self._below(node, of, value)
                )
            case InlineFragmentNode():
                return self._selection(node.selection_set, of, value)
            case FragmentSpreadNode() if node.name.value in self._fragments:
                return self._selection(self._fragments[node.name.value].selection_set, of, value)
            case _:
                return 0

    def _below(self, node: FieldNode, of: GraphQLObjectType, value: Any) -> Iterator[tuple[GraphQLObjectType, Any]]:
        """What a field of the introspection answers about, by graphql-core's own resolvers."""
        field = of.fields.get(node.name.value)
        kind = get_named_type(field.type) if field else None
        if field is None or field.resolve is None or not isinstance(kind, GraphQLObjectType):
            return
        deprecated = {"includeDeprecated": True} if "includeDeprecated" in field.args else {}
        found = field.resolve(value, cast(Any, self), **deprecated)
        for below in found or () if is_list_type(get_nullable_type(field.type)) else [found]:
            if below is not None:
                yield kind, below
