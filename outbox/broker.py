"""The broker that wakes workers, where WAYOUT_BROKER_URL is set: how Celery is set up, and one word to it.

Here tasks have names alone, so that whoever asks for work needs nobody who does it. The rows stay the truth: a message
that the broker loses costs at most the minute until the beat looks by itself.
"""

from __future__ import annotations

import logging
import os

from celery import Celery
from celery.signals import setup_logging as as_logging_is_set_up
from celery.signals import worker_init as as_a_worker_starts
from django.conf import settings

from common.starting import refused_in_a_sentence

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
logger = logging.getLogger("wayout.outbox")
__all__ = ["WORK", "app", "as_a_worker_starts", "as_logging_is_set_up", "call"]

WORK = "outbox.work"
# Seconds that connecting, and each answer, of a broker may take where one is told that there is something to do.
_TIMEOUT = 0.5

with refused_in_a_sentence():
    app = Celery("wayout", broker=settings.WAYOUT_BROKER_URL)
app.conf.update(
    task_default_queue=settings.WAYOUT_QUEUE,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"socket_timeout": 2, "socket_connect_timeout": 2},
    worker_hijack_root_logger=False,
    beat_schedule={"look": {"task": WORK, "schedule": 60.0}},
)


def call() -> None:
    """Tell some worker that there is something to do: once. A broker that is gone is logged and left to the beat.

    By a connection of its own: one that was idle for long may be gone without a sign.
    """
    hasty = {
        "max_retries": 0,
        "socket_connect_timeout": _TIMEOUT,  # of Redis, as is the next
        "socket_timeout": _TIMEOUT,
        "read_timeout": _TIMEOUT,  # of AMQP, as is the next
        "write_timeout": _TIMEOUT,
    }
    try:
        connection = app.connection_for_write(connect_timeout=_TIMEOUT, transport_options=hasty)
        try:
            producer = connection.Producer(auto_declare=False)
            app.send_task(WORK, producer=producer, retry=False, ignore_result=True)
        finally:
            connection.collect(_TIMEOUT)
    except Exception as error:
        logger.warning("the broker was not told: %s", type(error).__name__)
