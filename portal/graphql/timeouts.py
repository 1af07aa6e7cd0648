"""A request that works too long is stopped: before its next statement, and inside one that does not end.

What it has done by then stands, so it is not stopped any more once it has: "was stopped" is never said of a change.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection

# SQLite asks back every so many steps of its virtual machine.
_STEPS = 50_000
_CHANGES = ("INSERT", "UPDATE", "DELETE")


class RequestTimeout(Exception):
    """The time of the request is over."""


class Deadline:
    """When the request is stopped. ``executing``: what is changed from now on is what was asked for."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.executing = False

    def check(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """Execute a statement, in time."""
        if time.monotonic() > self.until:
            raise RequestTimeout
        if connection.vendor == "sqlite":
            connection.connection.set_progress_handler(lambda: int(time.monotonic() > self.until), _STEPS)
        try:
            answer = execute(sql, params, many, context)
        except OperationalError as error:
            if self.until < math.inf and ("statement timeout" in str(error) or "interrupted" in str(error)):
                raise RequestTimeout from error
            raise
        if self.executing and sql.startswith(_CHANGES):
            connection.on_commit(self._lift)  # at once, where there is no transaction
        return answer

    def _lift(self) -> None:
        self.until = math.inf


# Of what is executed without a request.
NEVER = Deadline(math.inf)


@contextmanager
def deadline(seconds: float) -> Iterator[Deadline]:
    """Stop database work of this request ``seconds`` from now.

    PostgreSQL stops a single statement by its statement_timeout (set in portal/wsgi.py for what serves, and not
    for migrations and imports), SQLite by asking back.
    """
    limit = Deadline(time.monotonic() + seconds)
    with connection.execute_wrapper(limit.check):
        try:
            yield limit
        finally:
            if connection.vendor == "sqlite" and connection.connection is not None:
                connection.connection.set_progress_handler(None, 0)
