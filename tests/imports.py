"""Run an import as the command does, and keep what it printed and how it ended."""

from __future__ import annotations

import io
from typing import Any

from django.core.management import CommandError, call_command

from tests.graphql.test_access import everything

LEFT_OUT = 2


def facts() -> dict[str, Any]:
    """Every row of the database, but the runs that brought them in, which are on record each time."""
    return {name: rows for name, rows in everything().items() if name != "subscriptions.SyncRun"}


def import_files(**options: Any) -> tuple[str, int]:
    """What was printed, and the exit code: 0, or 2 where rows were left out. Raises CommandError where nothing came in."""
    out = io.StringIO()
    try:
        call_command("import_directory", stdout=out, **options)
    except CommandError as error:
        if error.returncode != LEFT_OUT:
            raise
        return f"{out.getvalue()}\n{error}", error.returncode
    return out.getvalue(), 0
