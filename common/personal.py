"""What tables know of a person: each app says where, and one command exports or erases all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast

Erase = Callable[[QuerySet[Any], datetime], None]
_BATCH = 1_000
# Any number of ids as one parameter: a statement takes a limited number of them.
_IDS = {
    "sqlite": "SELECT value FROM json_each(%s)",
    "postgresql": "SELECT value::bigint FROM jsonb_array_elements_text(%s::jsonb)",
}


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
        """What of them is looked for in texts."""
        yield from (*self.addresses, *self.numbers)
        if " " in self.name:
            yield self.name

    def pattern(self) -> re.Pattern[str]:
        """Each of the mentions whole: ana@contoso.example is not in ivana@contoso.example, nor Ana Lee in Ivana Leeson."""
        whole = (
            *(rf"(?<![\w.%+-]){re.escape(address)}(?![\w-]|\.\w)" for address in self.addresses),
            *(rf"(?<!\d){re.escape(number)}(?!\d)" for number in self.numbers),
            *([rf"(?<!\w)(?<!\w-){re.escape(self.name)}(?!\w|-\w)"] if " " in self.name else ()),
        )
        return re.compile("|".join(whole), re.IGNORECASE)


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


def mentioning(rows: QuerySet[Any], field: str, whom: Whom) -> Q:
    """The rows in whose JSON or text somebody is mentioned. Reads all of them, and keeps the ids of what it finds."""
    found = Q(pk=None)
    for text in whom.mentions():
        # As JSON is written where it is a text: by a database that keeps other letters than Latin, and by one that does not.
        for written in {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}:
            found |= Q(as_text__icontains=written)
    # The database finds parts of words, too.
    maybe = rows.annotate(as_text=Cast(field, TextField())).filter(found).order_by("pk").values_list("pk", field)
    pattern = whom.pattern()
    ids = [pk for pk, said in maybe.iterator(_BATCH) if any(map(pattern.search, _texts(said)))]
    return Q(pk__in=RawSQL(_IDS[connection.vendor], [json.dumps(ids)]))  # noqa: S611


def _texts(said: Any) -> Iterator[str]:
    """Every text in a JSON value, its names as well; the admin's history is JSON in a text."""
    if isinstance(said, str):
        yield said
        with suppress(ValueError):
            yield from _texts(json.loads(said)) if said[:1] in ("[", "{") else ()
    elif isinstance(said, dict):
        yield from _texts([*said, *said.values()])
    elif isinstance(said, list):
        for each in said:
            yield from _texts(each)


def by_address(column: str, whom: Whom) -> Q:
    """Whether an address in ``column`` is one of theirs, in any case."""
    found = Q(pk=None)
    for address in whom.addresses:
        found |= Q(**{f"{column}__iexact": address})
    return found
