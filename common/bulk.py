"""Many new rows at once: by COPY where the database has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import Model


def insert(model: type[Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[int]:
    """Insert ``rows`` of the attributes ``names``; their ids, in order.

    The rows are taken as they are: nothing is computed or checked for them but by the database. So ``names`` holds
    what ``save`` would fill in.
    """
    if connection.vendor == "postgresql":
        return _copy(model, names, rows)
    made = model._base_manager.bulk_create(model(**dict(zip(names, row, strict=True))) for row in rows)
    return [row.pk for row in made]


def _copy(model: type[Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[int]:
    given = list(rows)
    if not given:
        return []
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    columns = ", ".join(quote(str(model._meta.get_field(name).column)) for name in ("id", *names))  # type: ignore[union-attr]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)", [table, "id", len(given)]
        )
        ids = [number for (number,) in cursor.fetchall()]
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for number, row in zip(ids, given, strict=True):
                copy.write_row((number, *row))
    return ids
