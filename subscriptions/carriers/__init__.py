"""Who has directories take licenses away: whoever can registers itself as its app loads. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from subscriptions.carriers.base import Carrier

_carriers: dict[str, Carrier] = {}


def register_carrier(name: str, carrier: Carrier) -> None:
    """Let it carry out the removals of tenants that it serves. Raises ValueError for a name that is there already."""
    if name in _carriers:
        raise ValueError(f"two carriers are called {name}")
    _carriers[name] = carrier


def carrier_of(tenant_id: int) -> Carrier | None:
    """The first that serves the tenant, in the order they registered; None where none does."""
    return next((carrier for carrier in _carriers.values() if carrier.serves(tenant_id)), None)


@contextmanager
def registered(name: str, carrier: Carrier) -> Iterator[None]:
    """Only within: for tests."""
    register_carrier(name, carrier)
    try:
        yield
    finally:
        del _carriers[name]
