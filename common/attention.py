"""What staff should look at, in numbers: each app says its own, and the admin's start page shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from django.utils.functional import Promise


class _Holder(Protocol):
    def has_perm(self, perm: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Sign:
    """One line: what it is, how many there are, and the address of the list of them."""

    label: str | Promise
    count: int
    address: str


Signs = Callable[[], Iterable[Sign]]
_signs: list[tuple[str, Signs]] = []


def shows_signs(permission: str) -> Callable[[Signs], Signs]:
    """Register what is shown to whoever holds ``permission``: in a number of queries that grows with nothing."""

    def register(signs: Signs) -> Signs:
        _signs.append((permission, signs))
        return signs

    return register


def signs_for(user: _Holder) -> list[Sign]:
    """All that this person may see, also those that count nothing: a zero is worth knowing."""
    return [sign for permission, signs in _signs if user.has_perm(permission) for sign in signs()]
