"""Who moves the money. ``provider(name)`` finds one; base.py says what each of them promises."""

from __future__ import annotations

from collections.abc import Callable

from billing.providers.base import Provider

_made_by: dict[str, Callable[[], Provider]] = {}


def register(name: str, make: Callable[[], Provider]) -> None:
    """Make a provider known under the name that refunds are stored with."""
    _made_by[name] = make


def provider(name: str) -> Provider:
    """The provider of that name. Raises LookupError for one that nobody registered."""
    if name not in _made_by:
        raise LookupError(f"there is no provider called {name!r}")
    return _made_by[name]()
