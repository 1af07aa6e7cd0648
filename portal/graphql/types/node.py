"""The Node interface: whatever has a public id."""

from __future__ import annotations

import strawberry

from common.public_ids import Kind
from portal.graphql.ids import make_id


@strawberry.interface
class Node:
    def public_id(self) -> tuple[Kind, int]:
        """Kind and number of the row behind this object."""
        raise NotImplementedError

    @strawberry.field
    def id(self) -> strawberry.ID:
        return make_id(*self.public_id())
