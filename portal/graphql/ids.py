"""Public ids as GraphQL says them."""

from __future__ import annotations

import strawberry

from common.public_ids import Kind, public_id


def make_id(kind: Kind, number: int) -> strawberry.ID:
    """The public id of a row."""
    return strawberry.ID(public_id(kind, number))
