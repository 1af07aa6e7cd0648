"""What Celery's workers do: ``celery -A outbox.tasks worker``, as many as wanted, and one ``celery -A outbox.tasks beat``."""

from __future__ import annotations

import logging
from logging.config import dictConfig
from typing import Any

import django
from django.conf import settings

from common.starting import refused_in_a_sentence
from outbox.broker import WORK, app, as_a_worker_starts, as_logging_is_set_up

# Celery would do it later, and show how it came to that.
with refused_in_a_sentence():
    django.setup()


@app.task(name=WORK, ignore_result=True)
def work() -> int:
    """Do what is due in all lanes: one that is slow keeps this process, and the others go on in it."""
    from outbox.lanes import Lanes  # noqa: PLC0415 (Celery loads this module before the apps are)

    return Lanes().work_once()


@as_logging_is_set_up.connect
def log_as_all_others(loglevel: int, **_: Any) -> None:
    """Celery's lines are lines of our log; ``--loglevel`` says which of them."""
    dictConfig(settings.LOGGING)
    logging.getLogger("celery").setLevel(loglevel)


@as_a_worker_starts.connect
def look_at_the_database(**_: Any) -> None:
    """Start no worker on a database that is not migrated, or of an earlier version; one that is away for now is waited for."""
    from django.core.management.base import CommandError  # noqa: PLC0415 (the apps are loaded by now)
    from django.db import OperationalError, connection  # noqa: PLC0415

    from common.history import require_migrated  # noqa: PLC0415
    from common.starting import log_warnings  # noqa: PLC0415

    try:
        require_migrated()
        log_warnings()
    except OperationalError:
        pass
    except CommandError as error:
        # Celery logs what its signals raise, and goes on.
        raise SystemExit(str(error)) from None
    finally:
        connection.close()
