"""When the database is away: what may pass by itself, told from what is wrong with us."""

from __future__ import annotations

import logging

from django.db import InterfaceError, OperationalError

# Not away: of a statement that is wrong, on SQLite, and of one that took too long, on PostgreSQL.
_OTHERS = ("SQLITE_ERROR", "57014")


def is_away(error: BaseException | None) -> bool:
    """Whether the database is away, held by somebody else, or out of space."""
    if isinstance(error, OperationalError):
        cause = error.__cause__
        return (getattr(cause, "sqlite_errorname", "") or getattr(cause, "sqlstate", "")) not in _OTHERS
    return isinstance(error, InterfaceError)


class WithoutOutages(logging.Filter):
    """Leaves out the traces of an outage, which are alike for every request: whoever answers one says it in a line."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and is_away(record.exc_info[1]))
