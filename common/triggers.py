"""Database triggers that keep tables append-only, on SQLite and PostgreSQL.

Installed after every migrate, because SQLite drops the triggers of a table that a migration remakes.
Installing twice is harmless.
"""

from __future__ import annotations

from django.db.backends.base.base import BaseDatabaseWrapper

_SQLITE = """
CREATE TRIGGER IF NOT EXISTS {table}_no_{verb} BEFORE {verb} ON {table}
BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END
"""
_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION wayout_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$
"""
_POSTGRESQL = """
CREATE OR REPLACE TRIGGER {table}_no_{verb} BEFORE {verb} ON {table}
FOR EACH {each} EXECUTE FUNCTION wayout_append_only()
"""


def make_append_only(connection: BaseDatabaseWrapper, table: str) -> None:
    """Refuse every UPDATE and DELETE (on PostgreSQL TRUNCATE too) of ``table`` from now on."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL_FUNCTION)
            for verb, each in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
                cursor.execute(_POSTGRESQL.format(table=table, verb=verb, each=each))
        else:
            for verb in ("UPDATE", "DELETE"):
                cursor.execute(_SQLITE.format(table=table, verb=verb))


def drop_append_only(connection: BaseDatabaseWrapper, table: str) -> None:
    """Take the protection away: for tests that empty the database between them."""
    on_table = f" ON {table}" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        for verb in ("UPDATE", "DELETE", "TRUNCATE"):
            cursor.execute(f"DROP TRIGGER IF EXISTS {table}_no_{verb}{on_table}")
