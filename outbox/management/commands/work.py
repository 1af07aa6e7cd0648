"""The worker: sends refunds and mail, and moves what time moves."""

from __future__ import annotations

import os
import re
import signal
import sys
from argparse import ArgumentTypeError
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import OperationalError
from django.utils.translation import gettext as _

from common.history import require_migrated
from common.starting import log_warnings
from outbox import watch
from outbox.lanes import Lanes
from outbox.registry import Lane


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text, re.ASCII):
        raise ArgumentTypeError(f"{text!r} is not a number of seconds")
    return float(text)


class Command(BaseCommand):
    """``manage.py work [--once] [--pause SECONDS] [--lane LANE]``: run as many as you like, they share the work."""

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
        parser.add_argument(
            "--lane",
            action="append",
            type=str.upper,
            choices=[lane.value for lane in Lane],
            help="only what is due in this lane; may be given more than once (all lanes)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until SIGTERM or SIGINT; a started task is finished first. A database that is gone is waited for.

        A task that takes too long ends the process (exit code 75): something has to start it again.
        """
        with suppress(OperationalError):
            require_migrated()
        lanes = [lane for lane in Lane if not options["lane"] or lane in options["lane"]]
        if options["once"]:
            attempted = Lanes(lanes).work_once()
            self.stdout.write(_("Attempted %(count)d tasks.") % {"count": attempted})
            return
        log_warnings()
        workers = Lanes(lanes, pause=options["pause"], report=self._report)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: workers.stop())
        if options["while_parent"]:
            parent = os.getppid()
            # Nobody else watches over it. Who was asked to stop must not forget it by starting again.
            watch.leave = lambda: os._exit(0) if workers.is_stopped else os.execv(sys.executable, sys.orig_argv)  # noqa: S606
            workers.work(lambda: os.getppid() != parent)
            return
        self.stdout.write(_("Waiting for work. Ctrl+C stops."))
        # Also where the output is a file or a pipe, which would keep it until the end.
        self.stdout.flush()
        workers.work()

    def _report(self, error: OperationalError) -> None:
        self.stderr.write(f"{type(error).__name__}: {error}".strip())
