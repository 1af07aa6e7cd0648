"""The log as a served process writes it, for tests that read it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from portal.logs import configure_logging


class Log:
    """What was written while it was kept."""

    def __init__(self, written: io.StringIO) -> None:
        self._written = written

    @property
    def text(self) -> str:
        return self._written.getvalue()

    def lines(self, logger: str = "") -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in found if line["logger"].startswith(logger)]

    def security(self) -> list[tuple[str, str]]:
        """What and who, of each event."""
        return [(line["event"], line["who"]) for line in self.lines("wayout.security")]


@contextmanager
def kept_log() -> Iterator[Log]:
    """Write what is logged as production does, whatever the tests' own settings are."""
    made = dict(configure_logging(for_people=False)["formatters"]["line"])
    made.pop("()")
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**made))
    loggers = {name: logging.getLogger(name) for name in ("", "django", "wayout.request", "wayout.security")}
    levels = {name: logger.level for name, logger in loggers.items()}
    loggers[""].addHandler(handler)
    for logger in loggers.values():
        logger.setLevel(logging.INFO)
    try:
        yield Log(handler.stream)
    finally:
        loggers[""].removeHandler(handler)
        for name, logger in loggers.items():
            logger.setLevel(levels[name])
