"""Database triggers that keep what was written, on SQLite and PostgreSQL.

Installed after every migrate, because SQLite drops the triggers of a table that a migration remakes.
Installing twice is harmless.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

_SQLITE = """
CREATE TRIGGER IF NOT EXISTS {name} BEFORE {when} ON {table} {condition}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
"""
_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION wayout_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""
_POSTGRESQL = """
CREATE OR REPLACE TRIGGER {name} BEFORE {when} ON {table}
FOR EACH {each} {condition} EXECUTE FUNCTION wayout_append_only()
"""
_IS_THERE = "WHEN EXISTS (SELECT 1 FROM {table} WHERE {same})"
_ALL = ("UPDATE", "DELETE", "TRUNCATE")


def refuse(connection: BaseDatabaseWrapper, table: str, *verbs: str) -> None:
    """Refuse these of UPDATE, DELETE and TRUNCATE of ``table`` from now on. SQLite has no TRUNCATE."""
    for verb in verbs:
        if connection.vendor == "postgresql" or verb != "TRUNCATE":
            _make(connection, table, f"{table}_no_{verb}", verb, "")


def refuse_steps_back(connection: BaseDatabaseWrapper, table: str, key: str, column: str, *others: str) -> None:
    """Let ``column``, and ``others`` with it, be updated only by counting one on, and ``key`` not at all."""
    condition = f"WHEN (NEW.{key} <> OLD.{key} OR NEW.{column} <> OLD.{column} + 1)"
    _make(connection, table, f"{table}_forward", f"UPDATE OF {', '.join((key, column, *others))}", condition)


def refuse_replacing(connection: BaseDatabaseWrapper, table: str, *keys: tuple[str, ...]) -> None:
    """Refuse rows of which one of ``keys`` is there already: SQLite's INSERT OR REPLACE deletes, and fires no trigger for it."""
    if connection.vendor == "sqlite":
        same = " OR ".join(" AND ".join(f"{column} IS NEW.{column}" for column in key) for key in keys)
        _make(connection, table, f"{table}_no_REPLACE", "INSERT", _IS_THERE.format(table=table, same=same))


def allow_all(connection: BaseDatabaseWrapper, table: str) -> None:
    """Take the protection away: for tests that empty the database between them."""
    on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        for name in ("forward", "no_REPLACE", *(f"no_{verb}" for verb in _ALL)):
            cursor.execute(f"DROP TRIGGER IF EXISTS {table}_{name}{on_table}")


def _make(connection: BaseDatabaseWrapper, table: str, name: str, when: str, condition: str) -> None:
    each = "STATEMENT" if when == "TRUNCATE" else "ROW"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL_FUNCTION)
        made = _POSTGRESQL if connection.vendor == "postgresql" else _SQLITE
        cursor.execute(made.format(table=table, name=name, when=when, each=each, condition=condition))
