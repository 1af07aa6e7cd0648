"""Who moves the money. ``provider(name)`` finds one; base.py says what each of them promises."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from billing.providers.base import Provider


@dataclass(frozen=True, slots=True)
class _Known:
    make: Callable[[], Provider]
    subscription_id: re.Pattern[str] | None


_known: dict[str, _Known] = {}


def register(name: str, make: Callable[[], Provider], *, subscription_id: str | None = None) -> None:
    """Make a provider known under the name that agreements and refunds are stored with.

    ``subscription_id``: the pattern of its ids for what it bills; None for one that bills nothing.
    """
    _known[name] = _Known(make, re.compile(subscription_id) if subscription_id else None)


def provider(name: str) -> Provider:
    """The provider of that name. Raises LookupError for one that nobody registered."""
    if name not in _known:
        raise LookupError(f"there is no provider called {name!r}")
    return _known[name].make()


def billing_providers() -> list[str]:
    """The names of those that bill, and so have to be told when something ends."""
    return [name for name, known in _known.items() if known.subscription_id]


def is_subscription_id(name: str, text: str) -> bool:
    """Whether ``text`` has the shape of that provider's ids for what it bills."""
    known = _known.get(name)
    return bool(known and known.subscription_id and known.subscription_id.fullmatch(text))
