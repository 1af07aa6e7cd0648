"""Indexes, and how tables are stored, that Django's models cannot declare. Installed after every migrate; twice is harmless.

SQLite has nulls first by itself and takes no word about it in an index, and drops such an index when a migration remakes
the table. A search by parts of words needs an extension of PostgreSQL that a database's owner may not be allowed to
install: without it searches in large tenants take longer, and nothing else changes.
"""

from __future__ import annotations

import logging

from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger("wayout.subscriptions")
_TABLE = "subscriptions_directoryuser"
# Percent of a page that new rows fill. A document that says nothing new moves ``known_at`` of all: a row whose successor
# fits beside it costs no entry in any index, and each index has one for every row otherwise.
_FILL = 50
_ROOMY = (_TABLE, "subscriptions_license")


def keep_indexes(connection: BaseDatabaseWrapper) -> None:
    """A page of holders, least recently active first, and a search in them, in a tenant of any size."""
    on_postgresql = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        there = connection.introspection.get_constraints(cursor, _TABLE)
        if "user_by_activity" not in there:
            nulls = " NULLS FIRST" if on_postgresql else ""
            cursor.execute(f"CREATE INDEX user_by_activity ON {_TABLE} (tenant_id, last_active_at{nulls}, id)")
        if "user_by_search" not in there and on_postgresql:
            try:
                with transaction.atomic(using=connection.alias):
                    cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
                    cursor.execute(f"CREATE INDEX user_by_search ON {_TABLE} USING gin (search_key gin_trgm_ops)")
            except Error as error:
                logger.warning("no index for searching users, so searches in large tenants take longer: %s", error)


def leave_space(connection: BaseDatabaseWrapper) -> None:
    """Keep half of each page for the successors of its rows: on PostgreSQL, for pages that are written from now on."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relname = ANY(%s) AND reloptions IS NULL", [list(_ROOMY)])
        for (table,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {connection.ops.quote_name(table)} SET (fillfactor = {_FILL})")
