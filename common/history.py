"""Was a database set up by a version whose migrations are gone? It is refused then, before anything is written to it.

The migrations were written anew, once: docs/decisions/0033-migrations-begin-anew-once.md. Since then they are only added.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage
from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model
from django.utils.translation import gettext as _

Migrations = set[tuple[str, str]]
TABLE = "django_migrations"
RECORDED = "SELECT app, name FROM django_migrations"
_ROOT = Path(__file__).resolve().parent.parent
# Databases that this process has found to be no older ones: aliases and names.
_examined: set[tuple[str, str]] = set()


class OlderDatabase(CommandError):
    """What a command says in one sentence, with exit code 1; a request ends with 500 and the sentence is in the log."""


def known_migrations() -> Migrations:
    """App and name of every migration of our own apps. Those of libraries may be squashed by their next version."""
    return {
        (config.label, module.name)
        for config in apps.get_app_configs()
        if Path(config.path).resolve().parent == _ROOT
        for module in pkgutil.iter_modules([str(Path(config.path) / "migrations")])
    }


def gone_migrations(recorded: Migrations, known: Migrations) -> list[str]:
    """Which recorded migrations of our apps are gone from the code; none where the database is newer than the code.

    A newer one records all that the code knows, and more. It has to be served: by the version before while a release is
    put in place, and after it was taken back.
    """
    if known <= recorded:
        return []
    ours = {app for app, _name in known}
    return sorted(f"{app}.{name}" for app, name in recorded - known if app in ours)


def refuse_older(connection: BaseDatabaseWrapper, **_kwargs: Any) -> None:
    """Raise OlderDatabase for what has just been connected to. Costs each process two queries a database.

    Whoever connects is asked, not each command: Django's own and the server's requests write as well.
    """
    database = (connection.alias, str(connection.settings_dict["NAME"]))
    if database in _examined or connection.alias not in connections:
        return
    gone = gone_migrations(_recorded(connection), known_migrations())
    if gone:
        # One that stays open would be used without asking again.
        connection.close()
        raise OlderDatabase(
            _(
                "This database was set up by a version of Wayout whose migrations are gone: it records %(migration)s."
                " Nothing was changed in it. Keep it for the version that made it, and let DATABASE_URL name an empty"
                " one (a demo of that version is moved aside by make run): docs/setup.md."
            )
            % {"migration": gone[0]}
        )
    _examined.add(database)


def is_migrated(using: str, model: type[Model]) -> bool:
    """Whether the table is as the model says: whoever migrates back, or by halves, has none or another."""
    connection, columns = connections[using], {field.column for field in model._meta.concrete_fields}
    with connection.cursor() as cursor:
        if model._meta.db_table not in connection.introspection.table_names(cursor):
            return False
        found = connection.introspection.get_table_description(cursor, model._meta.db_table)
    return columns <= {column.name for column in found}


def is_current() -> bool:
    """Whether the database has all migrations of this version. One that is away raises OperationalError."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def require_migrated() -> None:
    """Raise CommandError for a database that is empty, or behind the code. One that is away raises OperationalError."""
    if not is_current():
        raise CommandError(_("The database is not migrated to this version. Run: manage.py migrate"))


def check_history(databases: Sequence[str] | None = None, **_kwargs: Any) -> list[CheckMessage]:
    """For ``check --database``, which need not connect to PostgreSQL by itself. Raises OlderDatabase."""
    for alias in databases or ():
        connections[alias].ensure_connection()
    return []


def _recorded(connection: BaseDatabaseWrapper) -> Migrations:
    with connection.cursor() as cursor:
        if TABLE not in connection.introspection.table_names(cursor):
            return set()
        cursor.execute(RECORDED)
        return set(cursor.fetchall())
