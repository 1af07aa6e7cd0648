"""A database that is not migrated, or is migrated back, as operators meet it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.served.clone import PRODUCTION, run
from tests.served.conftest import ROOT

POSTGRES = os.environ.get("WAYOUT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
NAME = f"wayout_migrations_{hashlib.sha256(str(ROOT).encode()).hexdigest()[:10]}_{os.getpid()}"
APPS = ["billing", "desk", "outbox", "subscriptions", "tenants", "webhooks"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/wayout.sqlite3"
        return
    again = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(NAME))
    try:
        with psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5) as server:
            server.execute(again)
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))
    except psycopg.OperationalError as error:
        missing = f"NOT TESTED: migrations on PostgreSQL. {POSTGRES} did not answer ({error})"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    yield f"{POSTGRES.rpartition('/')[0]}/{NAME}"
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(again)


BACK = """
from django.core.management import call_command
import django
django.setup()
call_command("migrate", verbosity=0)
for app in {apps!r}:
    call_command("migrate", app, {to!r}, verbosity=0)
    call_command("migrate", verbosity=0)
call_command("migrate", check_unapplied=True, verbosity=0)
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM desk_callbackdesk")
    print(*cursor.fetchone())
    on = "sqlite_master WHERE type = 'trigger'" if connection.vendor == "sqlite" else "pg_trigger WHERE NOT tgisinternal"
    cursor.execute("SELECT count(*) FROM " + on)
    print(*cursor.fetchone())
"""


@pytest.mark.long
@pytest.mark.parametrize("to", ["zero", "0001"])
def test_every_app_can_be_migrated_back_and_forth(url: str, tmp_path: Path, to: str) -> None:
    given = {
        **PRODUCTION,
        "WAYOUT_VAR": str(tmp_path),
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    done = run(ROOT, "-c", BACK.format(apps=APPS, to=to), **given, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    # The desk's row, the four triggers of the tallies, and those of the trail.
    assert done.stdout.split() == ["1", "15"]


@pytest.mark.parametrize("command", [["work", "--once"], ["work"]], ids=["once", "work"])
def test_a_worker_says_that_the_database_is_to_be_migrated(url: str, tmp_path: Path, command: list[str]) -> None:
    told = run(ROOT, "manage.py", *command, **PRODUCTION, WAYOUT_VAR=str(tmp_path), DATABASE_URL=url)
    assert told.returncode == 1
    assert told.stderr.splitlines() == [
        "CommandError: The database is not migrated to this version. Run: manage.py migrate"
    ]
