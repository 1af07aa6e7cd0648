"""Compare cancellations, refunds, charges, the outbox and the providers."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from billing.periods import EARLIEST, LATEST
from subscriptions.models import Reconciliation
from subscriptions.reconciliation.asking import Asking
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.progress import Overtaken, Progress
from subscriptions.reconciliation.runs import first_row, usual_since

# Seconds before a provider that did not answer is asked again, each time; what it asks for itself goes before, up to the
# last. Then the run does without.
_WAITS = (5, 15, 60)
_LONGEST_WAIT = 600
# How far back it looks where only an end is given.
_BEFORE = timedelta(days=30)


def _instant(text: str) -> datetime:
    """A day (its beginning, UTC) or an instant with its offset."""
    found = None
    with suppress(ValueError):
        is_day = len(text) == len("2026-03-01")
        found = datetime.combine(date.fromisoformat(text), time(), UTC) if is_day else parse_datetime(text)
    if found is None or found.tzinfo is None:
        raise CommandError(f"{text!r} is neither a day, 2026-03-01, nor an instant with an offset, 2026-03-01T12:00Z.")
    # By the year alone: what is near the end of the calendar cannot even be compared in another zone.
    if not EARLIEST.year <= found.year < LATEST.year:
        raise CommandError(f"{text!r} is not between {EARLIEST.year}-01-01 and {LATEST.year}-01-01.")
    return found


class Command(BaseCommand):
    """``manage.py reconcile``: prints what does not add up and what to do about it; exits 1 if anything does not."""

    help = "Compares cancellations, refunds, charges, the outbox and the providers; exits 1 if they disagree."

    def add_arguments(self, parser: CommandParser) -> None:
        """What moved in which time, and whether to ask providers."""
        parser.add_argument(
            "--since", help="compare what moved from then on, from 2000 on: a day, or an instant (7 days ago)"
        )
        parser.add_argument("--until", help="compare what moved before (now); alone: in the 30 days before")
        parser.add_argument("--all", action="store_true", help="compare from the first row on")
        parser.add_argument("--offline", action="store_true", help="ask no provider, and keep nothing")
        parser.add_argument(
            "--resume", action="store_true", help="go on with the last run that did not come to its end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        row = self._last() if options["resume"] else self._row(now, options)
        asking = None if options["offline"] else Asking(settings.WAYOUT_RECONCILE_RATE)
        if asking and row.pk is None:
            row.save()
        progress = Progress(row, asking, self._say)
        for said in row.findings:
            if finding := Finding.of_json(said):
                self._say(finding)
        try:
            self._go_on(progress, asking, now)
            progress.finish(now)
        except Overtaken:
            raise CommandError("Somebody else goes on with this run.") from None
        if not row.count:
            self.stdout.write("Everything adds up.")
            return
        self.stdout.write("1 finding." if row.count == 1 else f"{row.count} findings.")
        sys.exit(1)

    def _row(self, now: datetime, options: dict[str, Any]) -> Reconciliation:
        if options["all"] and options["since"]:
            raise CommandError("--all is from the first row on: leave --since out.")
        until = _instant(options["until"]) if options["until"] else now
        since = self._since(options, until, now)
        if not since <= until <= now:
            raise CommandError("The time to look at begins before it ends, and ends before now.")
        return Reconciliation(since=since, until=until, started_at=now)

    def _since(self, options: dict[str, Any], until: datetime, now: datetime) -> datetime:
        """As was said. There is nothing to look at before the first row: no day of it is."""
        if options["since"]:
            since = _instant(options["since"])
            return max(since, min(first_row(now), until)) if since < until else since
        if options["all"]:
            return min(first_row(now), until)
        return until - _BEFORE if options["until"] else usual_since(now)

    def _last(self) -> Reconciliation:
        row = Reconciliation.objects.filter(finished_at=None, scheduled=False).order_by("-pk").first()
        if row is None:
            raise CommandError("Every run has come to its end.")
        return row

    def _go_on(self, progress: Progress, asking: Asking | None, now: datetime) -> None:
        """Until all is done. Whoever does not answer is asked a few times more, and then done without."""
        waits = iter(_WAITS)
        while (piece := progress.go_on(now)).silent:
            assert asking
            wait = next(waits, None)
            if wait is None:
                for name, error in piece.silent.items():
                    progress.do_without(name, str(error))
                return
            wait = max(wait, min(_LONGEST_WAIT, *(int(error.after.total_seconds()) for error in piece.silent.values())))
            self.stderr.write(f"{', '.join(piece.silent)} does not answer: asked again in {wait} seconds.")
            asking.sleep(wait)
            now += timedelta(seconds=wait)

    def _say(self, finding: Finding) -> None:
        self.stdout.write(f"{finding}\n    {finding.what_to_do}")
