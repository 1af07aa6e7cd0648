"""What Celery's workers do: ``celery -A outbox.tasks worker``, as many as wanted, and one ``celery -A outbox.tasks beat``."""

from __future__ import annotations

from outbox.broker import WORK, app


@app.task(name=WORK, ignore_result=True)
def work() -> int:
    """Do what is due."""
    from outbox.worker import work_off  # noqa: PLC0415 (Celery loads this module before the apps are)

    return work_off()
