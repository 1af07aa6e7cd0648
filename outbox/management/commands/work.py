"""The worker: sends refunds and mail, and moves what time moves."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError, close_old_connections, connection
from django.utils.translation import gettext as _

from common.starting import log_warnings
from outbox import worker
from outbox.worker import work_off


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text, re.ASCII):
        raise ArgumentTypeError(f"{text!r} is not a number of seconds")
    return float(text)


class Command(BaseCommand):
    """``manage.py work [--once] [--pause SECONDS]``: run as many as you like, they share the work."""

    help = "Does what is due after cancellations: refunds, mail, periodic work."

    def add_arguments(self, parser: CommandParser) -> None:
        """--once for a cron job or a test; else until stopped."""
        parser.add_argument("--once", action="store_true", help="do what is due now, then stop")
        parser.add_argument(
            "--while-parent",
            action="store_true",
            help="stop when the process that started it is gone; needs nobody to start it again",
        )
        parser.add_argument("--pause", type=_seconds, default=1.0, help="seconds between looks when nothing is due (1)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until SIGTERM or SIGINT; a started task is finished first. A database that is gone is waited for.

        A task that takes too long ends the process (exit code 75): something has to start it again.
        """
        if options["once"]:
            attempted = work_off()
            self.stdout.write(_("Attempted %(count)d tasks.") % {"count": attempted})
            return
        log_warnings()
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        parent = os.getppid()
        if options["while_parent"]:
            # Nobody else watches over it. Who was asked to stop must not forget it by starting again.
            worker.leave = lambda: os._exit(0) if stop.is_set() else os.execv(sys.executable, sys.orig_argv)  # noqa: S606
        else:
            self.stdout.write(_("Waiting for work. Ctrl+C stops."))
            # Also where the output is a file or a pipe, which would keep it until the end.
            self.stdout.flush()
        while not stop.is_set() and (not options["while_parent"] or os.getppid() == parent):
            close_old_connections()
            try:
                attempted = work_off(limit=100)
            except OperationalError as error:
                connection.close()
                self.stderr.write(f"{type(error).__name__}: {error}".strip())
                attempted = 0
            if not attempted:
                stop.wait(options["pause"])
