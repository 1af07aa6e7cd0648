"""What Celery's workers do: ``celery -A outbox.tasks worker``, as many as wanted, and one ``celery -A outbox.tasks beat``."""

from __future__ import annotations

from typing import Any

from outbox.broker import WORK, app, as_a_worker_starts


@app.task(name=WORK, ignore_result=True)
def work() -> int:
    """Do what is due in all lanes: one that is slow keeps this process, and the others go on in it."""
    from outbox.lanes import Lanes  # noqa: PLC0415 (Celery loads this module before the apps are)

    return Lanes().work_once()


@as_a_worker_starts.connect
def look_at_the_database(**_: Any) -> None:
    """Start no worker on a database of an earlier version; one that is away for now is waited for."""
    from django.db import OperationalError, connection  # noqa: PLC0415 (the apps are loaded by now)

    from common.history import OlderDatabase  # noqa: PLC0415
    from common.starting import log_warnings  # noqa: PLC0415

    try:
        connection.ensure_connection()
        log_warnings()
    except OperationalError:
        pass
    except OlderDatabase as error:
        # Celery logs what its signals raise, and goes on.
        raise SystemExit(str(error)) from None
    finally:
        connection.close()
