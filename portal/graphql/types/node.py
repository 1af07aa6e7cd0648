"""The Node interface: whatever has a public id."""

from __future__ import annotations

import strawberry

from common.public_ids import Kind, public_id


def make_id(kind: Kind, number: int) -> strawberry.ID:
    """The public id of a row."""
    return strawberry.ID(public_id(kind, number))


@strawberry.interface(description="Whatever has an id of its own.")
class Node:
    def public_id(self) -> tuple[Kind, int]:
        """Kind and number of the row behind this object."""
        raise NotImplementedError

    @strawberry.field(description="Opaque, and unique in the whole schema.")
    def id(self) -> strawberry.ID:
        return make_id(*self.public_id())
