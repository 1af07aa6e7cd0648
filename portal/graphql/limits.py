"""What a document may ask for, measured before it is validated: validation itself is what hostile documents attack.

One walk, linear in the document: every fragment is measured once, however often and however deep it is spread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)
from strawberry.extensions import ValidationCache

from common.errors import InputInvalid
from portal.graphql.introspection import Introspection, TooMuch
from portal.graphql.types.connections import LARGEST_PAGE

# What works more than a field is read in, without asking the database: in fields, measured by bench.cost.
WEIGHTS = {
    "callbackWindows": 2_000,
    # A password is hashed, which is meant to take long.
    "signIn": 15_000, "resetPassword": 15_000, "changePassword": 15_000,
}  # fmt: skip
# Of a value in a list that is sent: each is looked up.
_VALUE = 2


class LimitExceeded(GraphQLError):
    """A document asks for too much. Its extensions name the limit."""

    def __init__(self, limit: str, maximum: int) -> None:
        message = _("The query is too large: at most %(most)d for “%(limit)s”.") % {"most": maximum, "limit": limit}
        super().__init__(message, extensions={"code": InputInvalid.code, "path": [], "limit": limit, "most": maximum})


@dataclass(frozen=True, slots=True)
class Size:
    """What a selection adds up to with its fragments written out.

    ``cost``: fields to answer, every page as full as it may be, and values of lists that are sent.
    """

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0


class Measure:
    """Measures one document. ``visits`` counts selections looked at: never more than the document has."""

    def __init__(self, document: DocumentNode, variables: Mapping[str, Any], schema: GraphQLSchema) -> None:
        self._variables = variables
        self._page_sizes = page_sizes(schema)
        self._fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self._introspection = Introspection(schema, self._fragments, settings.GRAPHQL_LIMITS["cost"])
        self._measured: dict[str, Size | None] = {}
        self._operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
        self.visits = 0
        self.widest = 0

    def check(self, maximum: Mapping[str, int]) -> None:
        """Raise LimitExceeded for the first limit that the document is over."""
        for operation in self._operations:
            try:
                size = self._selection(operation.selection_set)
            except TooMuch:
                raise LimitExceeded("cost", maximum["cost"]) from None
            found = {
                "rootFields": len(operation.selection_set.selections),
                "depth": size.depth,
                "aliases": size.aliases,
                "directives": size.directives + len(operation.directives or ()),
                "fieldsPerSelection": self.widest,
                "cost": size.cost,
            }
            for limit, value in found.items():
                if value > maximum[limit]:
                    raise LimitExceeded(limit, maximum[limit])

    def _selection(self, selection_set: SelectionSetNode | None) -> Size:
        if selection_set is None:
            return Size()
        self.widest = max(self.widest, len(selection_set.selections))
        depth = aliases = directives = cost = 0
        for node in selection_set.selections:
            self.visits += 1
            directives += len(node.directives or ())
            match node:
                case FieldNode():
                    inner = self._selection(node.selection_set)
                    depth = max(depth, 1 + inner.depth)
                    aliases += node.alias is not None
                    below = self._introspection.cost(node) or self._page_size(node) * inner.cost
                    cost += WEIGHTS.get(node.name.value, 1) + below + self._sent(node)
                case FragmentSpreadNode():
                    inner = self._fragment(node.name.value)
                    depth, cost = max(depth, inner.depth), cost + inner.cost
                case InlineFragmentNode():
                    inner = self._selection(node.selection_set)
                    depth, cost = max(depth, inner.depth), cost + inner.cost
                case _:
                    continue
            aliases += inner.aliases
            directives += inner.directives
        return Size(depth, aliases, directives, cost)

    def _fragment(self, name: str) -> Size:
        if name not in self._fragments:
            return Size()  # validation says that it is not there
        if name not in self._measured:
            self._measured[name] = None
            self._measured[name] = self._selection(self._fragments[name].selection_set)
        size = self._measured[name]
        # A fragment inside itself has no end; validation says so when the limits do not.
        return Size() if size is None else size

    def _sent(self, node: FieldNode) -> int:
        """Values in lists that are sent: each is looked at."""
        return _VALUE * sum(self._values(argument.value) for argument in node.arguments or ())

    def _values(self, value: Any) -> int:
        match value:
            case VariableNode():
                return _in_lists(self._variables.get(value.name.value))
            case ListValueNode():
                return len(value.values) + sum(map(self._values, value.values))
            case ObjectValueNode():
                return sum(self._values(field.value) for field in value.fields)
            case _:
                return 0

    def _page_size(self, node: FieldNode) -> int:
        """How often the fields below may be answered: ``first``, where the field has one."""
        if node.name.value not in self._page_sizes:
            return 1
        for argument in node.arguments or ():
            if argument.name.value == "first":
                value: Any = argument.value
                if isinstance(value, VariableNode):
                    value = self._variables.get(value.name.value, LARGEST_PAGE)
                elif isinstance(value, IntValueNode):
                    value = int(value.value[:10])
                return min(max(value, 1), LARGEST_PAGE) if isinstance(value, int) else LARGEST_PAGE
        return self._page_sizes[node.name.value]


def _in_lists(value: Any) -> int:
    if isinstance(value, list):
        return len(value) + sum(map(_in_lists, value))
    return sum(map(_in_lists, value.values())) if isinstance(value, dict) else 0


@cache
def page_sizes(schema: GraphQLSchema) -> dict[str, int]:
    """The fields that answer pages, with the size of a page when nothing is said."""
    found: dict[str, int] = {}
    for graphql_type in schema.type_map.values():
        for name, field in getattr(graphql_type, "fields", {}).items():
            first = getattr(field, "args", {}).get("first")
            if first is not None:
                found[name] = int(first.default_value)
    return found


class LimitedValidation(ValidationCache):
    """Measures first; only what is small enough is validated, and each text once."""

    def __init__(self, schema: GraphQLSchema, maxsize: int) -> None:
        super().__init__(maxsize=maxsize)
        self._schema = schema

    def on_validate(self) -> Iterator[None]:
        """Refuse before validation, or validate as usual."""
        context = self.execution_context
        assert context.graphql_document is not None
        try:
            measure = Measure(context.graphql_document, context.variables or {}, self._schema)
            measure.check(settings.GRAPHQL_LIMITS)
        except LimitExceeded as error:
            context.pre_execution_errors = [error]
            yield
            return
        yield from super().on_validate()
