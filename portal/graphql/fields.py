"""How a query or a mutation comes in: what every one of them goes through before and after its few lines."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, get_args, get_type_hints

import strawberry
from django.core.exceptions import ImproperlyConfigured
from graphql import GraphQLSchema
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from common.errors import ExpectedError
from portal.graphql.access import ACCOUNTS, MUTATIONS, QUERIES, SUBGRAPH, Access
from portal.graphql.context import Info
from portal.graphql.errors import as_problem

Decorator = Callable[[Callable[..., Any]], Any]
_ASKING: set[str] = set()


def query(*, name: str | None = None, description: str | None = None) -> Decorator:
    """A field of Query: its entry in access.py is asked first. What is raised goes to ``errors``."""

    def decorate(body: Callable[..., Any]) -> Any:
        access = _entry(name or to_camel_case(body.__name__), {**QUERIES, **SUBGRAPH})

        @functools.wraps(body)
        def resolve(root: Any, info: Info, **arguments: Any) -> Any:
            access.check(info.context.identified)
            return body(root, info, **arguments)

        return strawberry.field(resolve, name=name, description=description)

    return decorate


def mutation(*, description: str | None = None) -> Decorator:
    """A field of Mutation: its entry in access.py is asked first, and what is expected becomes a member of its payload.

    The payload is a union, and an error takes the form that helps most among its members: see as_problem.
    """

    def decorate(body: Callable[..., Any]) -> Any:
        access = _entry(to_camel_case(body.__name__), {**MUTATIONS, **ACCOUNTS})
        members = get_args(get_type_hints(body)["return"])

        @functools.wraps(body)
        def resolve(root: Any, info: Info, **arguments: Any) -> Any:
            try:
                access.check(info.context.identified)
                return body(root, info, **arguments)
            except ExpectedError as error:
                return as_problem(error, info, arguments.get("input"), members)

        return _described(strawberry.mutation(resolve, description=description))

    return decorate


def _described(field: StrawberryField) -> StrawberryField:
    """A mutation's input says itself what it is."""
    for argument in field.arguments:
        argument.description = argument.description or argument.type.__strawberry_definition__.description  # type: ignore[union-attr]
    return field


def _entry(name: str, table: Mapping[str, Access]) -> Access:
    if name not in table:
        raise ImproperlyConfigured(f"{name} has no entry in portal/graphql/access.py: say there who may ask it.")
    _ASKING.add(name)
    return table[name]


def require_asking(schema: GraphQLSchema, *tables: Mapping[str, Access]) -> None:
    """Raise ImproperlyConfigured for a root field that asks no entry of these tables, or an entry without a field."""
    fields = {name for root in (schema.query_type, schema.mutation_type) if root for name in root.fields}
    if past := sorted(fields - _ASKING):
        raise ImproperlyConfigured(
            f"{past} ask nobody: make them with query() or mutation() of portal/graphql/fields.py."
        )
    if idle := sorted({name for table in tables for name in table} - fields):
        raise ImproperlyConfigured(f"{idle} are in portal/graphql/access.py, and no field: take them out there.")
