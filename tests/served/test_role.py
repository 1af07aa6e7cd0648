"""PostgreSQL's role of the running application, as documented: everything works, and the trail's guards stay."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.served.clone import PRODUCTION, run
from tests.served.conftest import ROOT
from tests.served.test_operations import POSTGRES, missing

NAME = f"wayout_role_{hashlib.sha256(str(ROOT).encode()).hexdigest()[:10]}_{os.getpid()}"
WORKS = """
import django
django.setup()
from django.db import connection
from django.test import Client
from outbox.worker import work_off
from tenants.anchors import anchor_heads
from tests.subscriptions.test_lifecycle import cancel
from tests.builders import NOW
from tests.world import PASSWORD, World
from tenants.callers import Role
world = World.build()
person = world.person(Role.GLOBAL_ADMIN)
person.set_password(PASSWORD)
person.save()
client = Client(headers={"host": "wayout.example"})
client.post("/accounts/login/", {"login": person.username, "password": PASSWORD}, secure=True)
assert client.get("/accounts/login/", secure=True).status_code == 302
assert cancel(world, world.subscription()).reference
work_off()
assert anchor_heads(NOW) == 1
"""


@pytest.fixture
def owner() -> Iterator[str]:
    """An empty database, as its owner."""
    name, role = sql.Identifier(NAME), sql.Identifier(NAME)

    def forget(server: psycopg.Connection[tuple[object, ...]]) -> None:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        server.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))

    try:
        with psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5) as server:
            forget(server)
            server.execute(sql.SQL("CREATE DATABASE {}").format(name))
    except psycopg.OperationalError as error:
        missing(f"NOT TESTED: the role of the application. {POSTGRES} did not answer ({error})")
    yield f"{POSTGRES.rpartition('/')[0]}/{NAME}"
    with psycopg.connect(POSTGRES, autocommit=True) as server:
        forget(server)


@pytest.mark.long
def test_the_application_works_as_a_role_that_takes_no_guard_away(owner: str, tmp_path: Path) -> None:
    given = {**PRODUCTION, "WAYOUT_VAR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    migrated = run(ROOT, "manage.py", "migrate", "-v0", **given, DATABASE_URL=owner)
    assert migrated.returncode == 0, migrated.stderr
    found = re.search(r"```sql role\n(.*?)```", (ROOT / "docs/operations.md").read_text(), re.DOTALL)
    assert found
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(found[1].replace("wayout_app", NAME).encode())
    at = urlsplit(owner)
    url = f"postgresql://{NAME}:secret@{at.hostname}:{at.port or 5432}{at.path}"
    worked = run(ROOT, "-c", WORKS, **given, DATABASE_URL=url)
    assert worked.returncode == 0, worked.stderr
    verified = run(ROOT, "manage.py", "verify_audit", **given, DATABASE_URL=url)
    assert "The audit trail holds. Chains: 2." in verified.stdout, verified.stderr
    for guarded in (
        "ALTER TABLE tenants_auditevent DISABLE TRIGGER ALL",
        "DROP TRIGGER tenants_auditevent_no_update ON tenants_auditevent",
        "ALTER TABLE tenants_audithead DISABLE TRIGGER USER",
        "SET session_replication_role = replica",
        "TRUNCATE tenants_auditevent CASCADE",
        "TRUNCATE tenants_auditpersonaldata",
        "DROP TABLE tenants_audithead CASCADE",
        "CREATE OR REPLACE FUNCTION wayout_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TABLE another (id int)",
        "UPDATE tenants_auditevent SET action = 'x'",
        "DELETE FROM tenants_auditevent",
    ):
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(guarded.encode())
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute("UPDATE tenants_audithead SET position = 0")
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("UPDATE tenants_audithead SET anchored = 1000000")
