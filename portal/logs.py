"""The log: one JSON object a line, with the number of the request; in debug, lines for people."""

from __future__ import annotations

from typing import Any

import structlog

from common.database import WithoutOutages

# What every line says, whoever writes it.
_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure_logging(*, for_people: bool) -> dict[str, Any]:
    """Have structlog write through the standard library; return Django's LOGGING."""
    structlog.configure(
        processors=[*_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _PROCESSORS,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    structlog.dev.ConsoleRenderer(colors=False) if for_people else structlog.processors.JSONRenderer(),
                ],
            }
        },
        "filters": {"outages": {"()": WithoutOutages}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": "INFO"},
        "loggers": {
            "django.request": {"filters": ["outages"]},
            # The demo's terminal shows how to get in, not every request.
            "wayout.request": {"level": "WARNING" if for_people else "INFO"},
        },
    }
