"""The Node interface: whatever has a public id."""

from __future__ import annotations

import strawberry

from portal.graphql.ids import make_id
from tenants.public_ids import Kind


@strawberry.interface
class Node:
    def public_id(self) -> tuple[Kind, int]:
        """Kind and number of the row behind this object."""
        raise NotImplementedError

    @strawberry.field
    def id(self) -> strawberry.ID:
        return make_id(*self.public_id())
