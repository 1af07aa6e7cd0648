"""Compare cancellations, refunds, charges, the outbox and the provider."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from subscriptions.reconciliation import findings


class Command(BaseCommand):
    """``manage.py reconcile``: prints what does not add up, exits 1 if anything does not."""

    help = "Compares cancellations, refunds, charges, the outbox and the provider; exits 1 if they disagree."

    def add_arguments(self, parser: CommandParser) -> None:
        """--offline leaves the provider alone."""
        parser.add_argument("--offline", action="store_true", help="do not ask the provider")

    def handle(self, *args: Any, **options: Any) -> None:
        count = 0
        for finding in findings(timezone.now(), ask_provider=not options["offline"]):
            count += 1
            self.stdout.write(finding)
        if not count:
            self.stdout.write("Everything adds up.")
            return
        self.stdout.write("1 finding." if count == 1 else f"{count} findings.")
        sys.exit(1)
