"""How a mutation comes in: what every one of them goes through before and after its few lines."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, get_args, get_type_hints

import strawberry

from common.errors import ExpectedError
from portal.graphql.context import Info
from portal.graphql.errors import as_problem


def mutation(*, description: str | None = None) -> Callable[[Callable[..., Any]], Any]:
    """A field of Mutation that answers what its body raises, as far as it is expected, as a member of its payload.

    The payload is a union, and an error takes the form that helps most among its members: see as_problem.
    """

    def decorate(body: Callable[..., Any]) -> Any:
        members = get_args(get_type_hints(body)["return"])

        @functools.wraps(body)
        def resolve(root: Any, info: Info, **arguments: Any) -> Any:
            try:
                return body(root, info, **arguments)
            except ExpectedError as error:
                return as_problem(error, info, arguments.get("input"), members)

        return strawberry.mutation(resolve, description=description)

    return decorate
