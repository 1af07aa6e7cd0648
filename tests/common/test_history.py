"""An older database is refused by whatever connects to it, in one sentence, and nothing is written to it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

from common import history
from common.history import OlderDatabase, gone_migrations, known_migrations, refuse_older
from tests.common.older import OLDER, dump_file, make_older_file
from tests.served.clone import PRODUCTION, ROOT, run

POSTGRES = os.environ.get("WAYOUT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
NAME = f"wayout_older_{hashlib.sha256(str(ROOT).encode()).hexdigest()[:10]}"
SENTENCE = "OlderDatabase: This database was set up by a version of Wayout whose migrations are gone"
KNOWN = {("desk", "0001_initial"), ("tenants", "0001_anew")}

Older = tuple[str, Callable[[], list[Any]]]


@pytest.fixture
def older(tmp_path: Path) -> Iterator[Older]:
    """The URL of an older database of the kind that is tested, and what looks at all that is in it."""
    if connection.vendor == "sqlite":
        path = tmp_path / "older.sqlite3"
        make_older_file(path)
        yield f"sqlite:///{path}", lambda: dump_file(path)
        return
    url = f"{POSTGRES.rpartition('/')[0]}/{NAME}_{os.environ.get('PYTEST_XDIST_WORKER', '')}"
    name = sql.Identifier(url.rpartition("/")[2])
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        server.execute(sql.SQL("CREATE DATABASE {}").format(name))
        with psycopg.connect(url) as database:
            database.execute(OLDER.encode())
        yield url, lambda: _dump_postgres(url)
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def _dump_postgres(url: str) -> list[Any]:
    with psycopg.connect(url) as database:
        made = database.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1")
        rows = [database.execute(f"SELECT * FROM {table}") for table in ("django_migrations", "tenants_tenant")]
        return [made.fetchall(), *(found.fetchall() for found in rows)]


def given(url: str, tmp_path: Path, *, debug: str = "0") -> dict[str, str]:
    return {**PRODUCTION, "WAYOUT_DEBUG": debug, "WAYOUT_VAR": str(tmp_path), "DATABASE_URL": url}


@pytest.mark.parametrize(
    "command",
    [
        "migrate --skip-checks",
        "work",
        *(
            pytest.param(command, marks=pytest.mark.long)
            for command in (
                "migrate",
                "migrate --check",
                "migrate tenants zero",
                "check --database default",
                "work --once",
                "reconcile --offline",
                "verify_audit",
                "changepassword ada",
                "flush --no-input",
            )
        ),
    ],
)
def test_a_command_refuses_it(older: Older, tmp_path: Path, command: str) -> None:
    url, dump = older
    before = dump()
    refused = run(ROOT, "manage.py", *command.split(), **given(url, tmp_path))
    assert refused.returncode == 1, refused.stderr
    assert refused.stderr.startswith(SENTENCE)
    assert "subscriptions.0012_waited_as" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert dump() == before


@pytest.mark.long
def test_a_worker_of_celery_does_not_start_on_it(older: Older, tmp_path: Path) -> None:
    url, dump = older
    before = dump()
    at = {**given(url, tmp_path), "WAYOUT_BROKER_URL": "memory://", "DJANGO_SETTINGS_MODULE": "portal.settings"}
    refused = run(ROOT, "-m", "celery", "-A", "outbox.tasks", "worker", "--pool", "solo", **at)
    assert refused.returncode == 1
    assert SENTENCE.partition(" ")[2] in refused.stderr
    assert "Traceback" not in refused.stderr
    assert dump() == before


@pytest.mark.long
def test_debug_refuses_it_as_well(older: Older, tmp_path: Path) -> None:
    url, dump = older
    before = dump()
    refused = run(ROOT, "manage.py", "migrate", **given(url, tmp_path, debug="1"))
    assert (refused.returncode, refused.stderr.startswith(SENTENCE)) == (1, True)
    assert dump() == before


ASK = """
import portal.wsgi
from django.test import Client
client = Client(raise_request_exception=False, headers={"host": "wayout.example"})
live, ready = client.get("/healthz/live"), client.get("/healthz/ready")
print(live.status_code, ready.status_code, ready.json()["checks"]["database"])
print(client.post("/accounts/login/", {"login": "ada", "password": "a fine horse of iron"}).status_code)
"""


@pytest.mark.long
def test_a_server_is_not_ready_says_why_and_writes_nothing(older: Older, tmp_path: Path) -> None:
    url, dump = older
    before = dump()
    asked = run(ROOT, "-c", ASK, **given(url, tmp_path), WAYOUT_HTTPS="0")
    assert asked.stdout.splitlines() == ["200 503 failed", "500"]
    assert SENTENCE.partition(" ")[2] in next(line for line in asked.stderr.splitlines() if "wayout.health" in line)
    assert dump() == before


def test_what_is_gone() -> None:
    def gone(*recorded: tuple[str, str]) -> list[str]:
        return gone_migrations(set(recorded), KNOWN)

    assert gone() == []
    # Not up to date yet, or up to date; a library may do as it likes.
    assert gone(("tenants", "0001_anew")) == []
    assert gone(("tenants", "0001_anew"), ("auth", "0099_gone")) == []
    assert gone(*KNOWN) == []
    # Only the first version of all.
    assert gone(("tenants", "0001_initial")) == ["tenants.0001_initial"]
    assert gone(("tenants", "0003_partner"), ("desk", "0001_initial")) == ["tenants.0003_partner"]
    # Of another line of versions.
    assert gone(("tenants", "0001_anew"), ("tenants", "0002_other")) == ["tenants.0002_other"]
    # Newer: the version before goes on with it.
    assert gone(*KNOWN, ("tenants", "0002_next")) == []


def test_the_code_knows_its_own_migrations() -> None:
    known = known_migrations()
    assert known >= KNOWN
    assert {app for app, _name in known} == {"desk", "subscriptions", "billing", "webhooks", "outbox", "tenants"}


@pytest.fixture
def asked_anew(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """As in a process that has not connected yet."""
    examined: set[tuple[str, str]] = set()
    monkeypatch.setattr(history, "_examined", examined)
    return examined


@pytest.mark.django_db(transaction=True)
def test_no_connection_stays_open_that_would_be_used_without_asking(asked_anew: set[tuple[str, str]]) -> None:
    rows = MigrationRecorder(connection).migration_qs
    first = rows.get(app="tenants", name="0001_anew")
    rows.filter(pk=first.pk).update(name="0001_initial")
    # The test before may have closed the connection; then these two have connected anew.
    asked_anew.clear()
    try:
        for _ in range(2):
            connection.close()
            with pytest.raises(OlderDatabase, match=r"tenants\.0001_initial"):
                connection.ensure_connection()
            assert connection.connection is None
        assert not asked_anew
    finally:
        asked_anew.add((connection.alias, str(connection.settings_dict["NAME"])))
        rows.filter(pk=first.pk).update(name="0001_anew")


@pytest.mark.django_db
def test_a_process_asks_once(asked_anew: set[tuple[str, str]], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        refuse_older(connection)
        refuse_older(connection)
    assert asked_anew == {("default", str(connection.settings_dict["NAME"]))}


def test_what_is_no_database_of_ours_is_not_asked(asked_anew: set[tuple[str, str]]) -> None:
    # The server's own, to which Django connects to make a database for tests.
    other = connections["default"].copy(alias="__no_db__")
    refuse_older(other)
    assert not asked_anew
