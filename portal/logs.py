"""The log: one JSON object a line, with the number of the request; in debug, lines for people.

Served, it holds no name, number, link, nor what a statement was given: the address of a page and what an exception says may
have any of it.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import structlog
from django.db import DatabaseError, OperationalError

from common.database import WithoutOutages
from tenants.requests import request_id

# What every line says, whoever writes it.
_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
# What these say is about code, or comes from the system.
_HARMLESS = (AttributeError, ImportError, NameError, NotImplementedError, TypeError)


def configure_logging(*, for_people: bool) -> dict[str, Any]:
    """Have structlog write through the standard library; return Django's LOGGING."""
    structlog.configure(
        processors=[*_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    rendered: list[Any] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.ExceptionRenderer(_without_values),
        structlog.processors.JSONRenderer(),
    ]
    if for_people:
        rendered[1:] = [structlog.processors.format_exc_info, structlog.dev.ConsoleRenderer(colors=False)]
    else:
        rendered.insert(0, _without_address)
    # The demo's terminal shows how to get in, not every request.
    quiet = {"level": "WARNING" if for_people else "INFO"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _PROCESSORS,
                "processors": rendered,
            }
        },
        "filters": {"outages": {"()": WithoutOutages}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            "django.request": {"filters": ["outages"]},
            "wayout.request": quiet,
            "wayout.security": quiet,
        },
    }


def _without_address(_logger: Any, _method: str, line: dict[str, Any]) -> dict[str, Any]:
    """Django says the address of what it refuses, or where it came from: a link that resets a password is one."""
    record = line["_record"]
    if record.name.startswith(("django.request", "django.security")):
        line["event"] = line["event"].partition(":")[0].partition(" (")[0]
        # It comes after all that knew the request's number.
        request = getattr(record, "request", None)
        if request and (number := request_id(request)):
            line["request_id"] = number
    return line


def _without_values(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    """A traceback with types and places. Of what a database says, the first line, the code and the constraint."""
    return "\n".join(_frames(exc_info[1], set()))


def _frames(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before and id(before) not in seen:
        yield from _frames(before, seen)
        yield "and then:"
    yield from (line.rstrip("\n") for line in traceback.format_tb(error.__traceback__))
    yield f"{type(error).__module__}.{type(error).__qualname__}{_said(error)}"


def _said(error: BaseException) -> str:
    if isinstance(error, DatabaseError):
        return _said_by_database(error)
    # Errors of mail are errors of the system, too, and say addresses.
    is_harmless = isinstance(error, _HARMLESS) or (isinstance(error, OSError) and type(error).__module__ == "builtins")
    return f": {error}" if is_harmless else ""


def _said_by_database(error: DatabaseError) -> str:
    found = getattr(error.__cause__, "diag", None)
    code, constraint = getattr(found, "sqlstate", None), getattr(found, "constraint_name", None)
    if isinstance(error, OperationalError):
        return f": {str(error).partition(chr(10))[0]}"
    return "".join(f" {said}" for said in (code, constraint) if said)
