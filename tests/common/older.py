"""A database as a version before the migrations were written anew has left it: what it recorded, and a row in a table."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

RECORDED = [
    ("auth", "0001_initial"),
    ("billing", "0001_initial"),
    ("subscriptions", "0001_initial"),
    ("subscriptions", "0012_waited_as"),
    ("tenants", "0001_initial"),
]
OLDER = f"""
CREATE TABLE django_migrations (id integer PRIMARY KEY, app varchar(255), name varchar(255), applied timestamp);
INSERT INTO django_migrations (id, app, name, applied) VALUES
{", ".join(f"({number}, '{app}', '{name}', '2026-11-25 08:00:00')" for number, (app, name) in enumerate(RECORDED))};
CREATE TABLE tenants_tenant (id integer PRIMARY KEY, domain varchar(100));
INSERT INTO tenants_tenant (id, domain) VALUES (1, 'contoso.example');
"""


def make_older_file(path: Path) -> None:
    """In SQLite, with a log, as a version before has left it."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.executescript(OLDER)


def dump_file(path: Path) -> list[str]:
    """Tables and rows as SQL."""
    with closing(sqlite3.connect(path)) as database:
        return list(database.iterdump())
