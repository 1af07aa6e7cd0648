"""Querysets whose SQL is made once. For small reads, making it costs Python more than running it costs the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Model, QuerySet
from django.db.models.base import ModelState

_LENGTHS = (0, 1, 2, 5, 10, 20, 50, 100)
_PREPARED_AFTER = 5
_FIRST_ID = -(10**15)
_APART = 1_000  # far enough that what calculates with one placeholder is not taken for the next one
_PLACEHOLDERS: dict[type, Any] = {
    datetime: datetime(1970, 6, 15, 0, 0, 7, 777_777, tzinfo=UTC),
    str: "\ufdd0",
    int: _FIRST_ID - 1_000 * _APART,
}
_TRACES = ("\ufdd0", "1970-0", str(_FIRST_ID)[:10])

Row = tuple[Any, ...]
Value = datetime | str | int | None
PREPARED: dict[str, PreparedQuery] = {}


class UnreplacedPlaceholder(Exception):
    """A query was prepared whose ``build`` does more with a value than compare with it, or does nothing with it."""


class PreparedQuery:
    """A read by ids, and by one value besides: ``build(ids, value)`` says it as a ``values_list``.

    With a limit, ``build(ids, value, limit)``, which is made for every limit that is asked for.

    It is built with placeholders, which are replaced at every call. So ``build`` may look at nothing but its arguments,
    and may only compare with them. What breaks that raises UnreplacedPlaceholder where it shows in the parameters; the
    rest is found by tests/common/test_prepared.py, which asks every query of ``PREPARED`` in both ways.
    """

    def __init__(self, name: str, build: Callable[..., QuerySet[Any, Any]]) -> None:
        if name in PREPARED:
            raise ValueError(f"two prepared queries are named {name}")
        PREPARED[name] = self
        self.name, self.build = name, build
        self._made: dict[tuple[str, int, type, int | None], tuple[str, Row, Any]] = {}

    def find(self, value: Value) -> list[Row]:
        """The rows now, for a read that takes no ids."""
        return self._rows([], value)

    def rows(self, ids: Iterable[int], value: Value = None, limit: int | None = None) -> list[Row]:
        """The rows now, a hundred ids a query. No query for no ids."""
        given = list(ids)
        found: list[Row] = []
        for start in range(0, len(given), _LENGTHS[-1]):
            found += self._rows(given[start : start + _LENGTHS[-1]], value, limit)
        return found

    def _rows(self, ids: list[int], value: Value, limit: int | None = None) -> list[Row]:
        length = next(at_most for at_most in _LENGTHS if len(ids) <= at_most)
        here = connections[DEFAULT_DB_ALIAS]  # looked up once: the proxy looks it up at every touch
        key = (here.vendor, length, type(value), limit)
        if key not in self._made:
            self._made[key] = self._make(length, value, limit)
        sql, params, converters = self._made[key]
        ids += ids[-1:] * (length - len(ids))
        actual = _adapted(value)
        filled = [ids[p.number] if isinstance(p, _Id) else actual if p is _VALUE else p for p in params]
        with here.cursor() as cursor:
            if here.vendor == "postgresql":
                # Django's own cursor writes values into the text, so that every text is another one to plan.
                cursor.cursor = psycopg.Cursor(here.connection)
                if not converters:  # which want text; instants are read ten times as fast without
                    cursor.cursor.format = psycopg.pq.Format.BINARY
                here.connection.prepare_threshold = _PREPARED_AFTER
            cursor.execute(sql, filled)
            rows: list[Row] = cursor.fetchall()
        return converters(rows) if converters else rows

    def _make(self, length: int, value: Value, limit: int | None) -> tuple[str, Row, Any]:
        placeholder = _PLACEHOLDERS.get(type(value))
        ids = [_FIRST_ID - n * _APART for n in range(length)]
        limited = () if limit is None else (limit,)
        compiler = self.build(ids, placeholder, *limited).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        found = compiler.get_converters([column for column, *_ in compiler.select])
        adapted = _adapted(placeholder)
        replaced = tuple(_replacement(param, adapted, length) for param in params)
        self._check(sql, replaced, length, placeholder)
        convert = (lambda rows: [tuple(row) for row in compiler.apply_converters(rows, found)]) if found else None
        return sql, replaced, convert

    def _check(self, sql: str, params: Row, length: int, placeholder: Any) -> None:
        """Raise UnreplacedPlaceholder unless every placeholder has its parameter, and none is anywhere else."""
        missing = set(range(length)) - {param.number for param in params if isinstance(param, _Id)}
        if missing or (placeholder is not None and _VALUE not in params):
            raise UnreplacedPlaceholder(f"{self.name} does not use all that it is given")
        for left in (sql, *params):
            if _has_trace(left):
                raise UnreplacedPlaceholder(f"{self.name} makes {left!r} of what it is given")


@dataclass(frozen=True, slots=True)
class _Id:
    """The parameter that becomes the id of that number."""

    number: int


_VALUE = object()


def _replacement(param: Any, value: Any, length: int) -> Any:
    if isinstance(param, int) and not isinstance(param, bool):
        number, between = divmod(_FIRST_ID - param, _APART)
        if not between and 0 <= number < length:
            return _Id(number)
    return _VALUE if value is not None and isinstance(param, type(value)) and param == value else param


def _has_trace(param: Any) -> bool:
    if isinstance(param, int):
        return abs(abs(param) + _FIRST_ID) < 10**9
    return not isinstance(param, _Id) and param is not _VALUE and any(trace in str(param) for trace in _TRACES)


def _adapted(value: Value) -> Any:
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


class ModelColumns:
    """The columns of one model in a wider row, and how to make an object of them."""

    def __init__(self, model: type[Model], path: str = "") -> None:
        self._model = model
        self._names = [field.attname for field in model._meta.concrete_fields]
        self.paths = [f"{path}__{name}" if path else name for name in self._names]

    def __len__(self) -> int:
        return len(self._names)

    def read(self, row: Row, start: int, **related: Model) -> Any:
        """The object in ``row`` from ``start`` on, with the objects that its foreign keys name."""
        made = self._model.__new__(self._model)
        # What from_db does, less the signals and a setattr for every field: five times as fast.
        made.__dict__.update(zip(self._names, row[start : start + len(self._names)], strict=True))
        made._state = ModelState()
        made._state.adding, made._state.db = False, DEFAULT_DB_ALIAS
        made._state.fields_cache.update(related)
        return made
