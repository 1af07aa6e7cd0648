"""Celery as the wake-up and the beat, where WAYOUT_BROKER_URL is set. The rows stay the truth.

``celery -A outbox.celery worker`` as many as wanted, and one ``celery -A outbox.celery beat``. A message that the
broker loses costs at most the minute until the beat looks by itself.
"""

from __future__ import annotations

import logging
import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
logger = logging.getLogger("wayout.outbox")

app = Celery("wayout", broker=settings.WAYOUT_BROKER_URL)
app.conf.update(
    task_default_queue=settings.WAYOUT_QUEUE,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    # A web process never waits for the broker.
    broker_transport_options={"socket_timeout": 2, "socket_connect_timeout": 2},
    worker_hijack_root_logger=False,
    beat_schedule={"look": {"task": "outbox.work", "schedule": 60.0}},
)


@app.task(name="outbox.work", ignore_result=True)
def work() -> int:
    """Do what is due."""
    from outbox.worker import work_off  # noqa: PLC0415 (needs the apps)

    return work_off()


def call() -> None:
    """Tell some worker that there is something to do. A broker that is gone is logged and left to the beat."""
    try:
        work.apply_async(retry=False)
    except Exception as error:
        logger.warning("the broker was not told: %s", type(error).__name__)
