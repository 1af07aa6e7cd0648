"""Rows as plain data, to be kept until they are applied, and back. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson

from billing.money import Money
from billing.periods import Period
from subscriptions.directory.document import (
    ChargeRow,
    Contact,
    GroupRow,
    LicenseRow,
    Row,
    Section,
    SubscriptionRow,
    TenantRow,
    UserRow,
    UserState,
)
from subscriptions.policy.facts import Channel, Status

_TYPES: Mapping[Section, Callable[..., Row]] = {
    Section.TENANT: TenantRow,
    Section.SUBSCRIPTIONS: SubscriptionRow,
    Section.CHARGES: ChargeRow,
    Section.USERS: UserRow,
    Section.GROUPS: GroupRow,
    Section.LICENSES: LicenseRow,
}
_instant = datetime.fromisoformat


def _period(value: Mapping[str, str]) -> Period:
    return Period(_instant(value["start"]), _instant(value["end"]))


# What is more than a number, a text or yes and no, by the name of its field.
_BACK: Mapping[str, Callable[[Any], Any]] = {
    "billing_contact": lambda value: Contact(*value),
    "partner": lambda value: Contact(*value),
    "status": Status,
    "channel": Channel,
    "state": UserState,
    "price": lambda value: Money(value["minor_units"], value["currency"]),
    "period": _period,
    "ends_at": _instant,
    "charged_at": _instant,
    "last_active_at": _instant,
    "deleted_at": _instant,
    "members": tuple,
    "licenses": tuple,
}
_AT = {
    section: [(number, _BACK[name]) for number, name in enumerate(kind._fields) if name in _BACK]  # type: ignore[attr-defined]
    for section, kind in _TYPES.items()
}


def pack(rows: Iterable[tuple[Section, Row]]) -> bytes:
    """So many rows as bytes."""
    plain = [(section, tuple(row)) for section, row in rows]
    return zlib.compress(orjson.dumps(plain, default=tuple), 1)


def unpack(content: bytes) -> Iterator[tuple[Section, Row]]:
    """The rows again."""
    for name, plain in orjson.loads(zlib.decompress(content)):
        section = Section(name)
        for number, back in _AT[section]:
            if plain[number] is not None:
                plain[number] = back(plain[number])
        yield section, _TYPES[section](*plain)
