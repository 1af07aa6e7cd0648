"""Databases of different sizes side by side: the same process looks at one, then at the other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from bench.config import POSTGRES, ROOT

_CLONE = hashlib.sha256(str(ROOT).encode()).hexdigest()[:10]


@contextmanager
def databases(fills: dict[int, Callable[[], None]]) -> Iterator[Callable[[int], None]]:
    """Make and fill a database for every size; yields what points the connection at one. Dropped at the end."""
    try:
        for size, fill in fills.items():
            _make(size)
            use(size)
            call_command("migrate", verbosity=0)
            fill()
            with connection.cursor() as cursor:
                # As autovacuum does soon: an index of words is slow until what is new has been sorted into it.
                cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
        yield use
    finally:
        connection.close()
        for size in fills:
            _drop(size)


def use(size: int) -> None:
    """Point the connection at the database of that size."""
    connection.close()
    connection.settings_dict["NAME"] = _name(size)


def database_url(size: int) -> str:
    """Where the database of that size is on PostgreSQL, for servers of their own."""
    return f"{POSTGRES.rpartition('/')[0]}/{_name(size)}"


def _name(size: int) -> str:
    name = f"wayout_bench_{_CLONE}_{size}"
    return name if connection.vendor == "postgresql" else str(ROOT / "var" / f"{name}.sqlite3")


def _make(size: int) -> None:
    _drop(size)
    if connection.vendor == "postgresql":
        with psycopg.connect(POSTGRES, autocommit=True) as server:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_name(size))))


def _drop(size: int) -> None:
    if connection.vendor == "postgresql":
        with psycopg.connect(POSTGRES, autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(_name(size))))
    else:
        for end in ("", "-wal", "-shm"):
            Path(_name(size) + end).unlink(missing_ok=True)
