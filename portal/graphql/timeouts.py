"""A request that works too long is stopped: before its next statement, and inside one that does not end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection

# SQLite asks back every so many steps of its virtual machine.
_STEPS = 50_000


class RequestTimeout(Exception):
    """The time of the request is over."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Stop database work of this request ``seconds`` from now.

    PostgreSQL stops a single statement by its statement_timeout (set in portal/wsgi.py for what serves, and not
    for migrations and imports), SQLite by asking back.
    """
    until = time.monotonic() + seconds

    def check(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if time.monotonic() > until:
            raise RequestTimeout
        if connection.vendor == "sqlite":
            connection.connection.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
        try:
            return execute(sql, params, many, context)
        except OperationalError as error:
            if "statement timeout" in str(error) or "interrupted" in str(error):
                raise RequestTimeout from error
            raise

    with connection.execute_wrapper(check):
        try:
            yield
        finally:
            if connection.vendor == "sqlite" and connection.connection is not None:
                connection.connection.set_progress_handler(None, 0)
