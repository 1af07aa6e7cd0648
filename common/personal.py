"""What tables know of a person: each app says where, and one command exports or erases all of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

Erase = Callable[[QuerySet[Any], datetime], None]


@dataclass(frozen=True, slots=True)
class Whom:
    """Somebody, by everything that a row may know them by.

    ``addresses`` are in lower case, ``numbers`` in E.164. ``name`` is looked for in texts, and only if it is of several words.
    """

    user_id: int | None
    name: str
    addresses: frozenset[str]
    numbers: frozenset[str]

    def mentions(self) -> Iterator[str]:
        """What of them is found in free text, and means nobody else."""
        yield from (*self.addresses, *self.numbers)
        if " " in self.name:
            yield self.name


@dataclass(frozen=True, slots=True)
class Holding:
    """One kind of rows that know a person.

    ``fields`` is what of a row is theirs to have, as columns or ``parent__column``. ``erase`` forgets the person in the rows
    that it gets; None: they go with something else, or stay, as ``kept`` says.
    """

    kind: str
    find: Callable[[Whom], QuerySet[Any]]
    fields: tuple[str, ...]
    erase: Erase | None = None
    kept: str = ""


def blanking(**values: Any) -> Erase:
    """Erase by writing these values over what is there."""

    def erase(rows: QuerySet[Any], _now: datetime) -> None:
        rows.update(**values)

    return erase


def deleting(rows: QuerySet[Any], _now: datetime) -> None:
    """Erase by deleting the rows."""
    rows.delete()


def mentioning(rows: QuerySet[Any], field: str, whom: Whom) -> QuerySet[Any]:
    """The rows in whose JSON or text somebody is mentioned. Reads all of them."""
    found = Q(pk=None)
    for text in whom.mentions():
        # As JSON is written where it is a text: other letters than Latin by their numbers.
        found |= Q(as_text__icontains=text) | Q(as_text__icontains=json.dumps(text)[1:-1])
    mentioned: QuerySet[Any] = rows.annotate(as_text=Cast(field, TextField())).filter(found)
    return mentioned


def by_address(column: str, whom: Whom) -> Q:
    """Whether an address in ``column`` is one of theirs, in any case."""
    found = Q(pk=None)
    for address in whom.addresses:
        found |= Q(**{f"{column}__iexact": address})
    return found
