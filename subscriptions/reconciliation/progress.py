"""How far a run has come: it goes on from there, piece by piece, and what it found is kept with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db.models import F

from billing.providers.base import ProviderUnavailable
from subscriptions.models import MAX_FINDINGS, Reconciliation
from subscriptions.reconciliation import cancellations, charges, refunds, removals, tallies, tasks
from subscriptions.reconciliation.asking import Asking
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from subscriptions.reconciliation.looking import CHECKS, Check, Reached, Scope, Window
from subscriptions.reconciliation.provider import part_checks
from subscriptions.reconciliation.stops import stop_checks

# Each registers its checks.
__all__ = ["Overtaken", "Piece", "Progress", "cancellations", "charges", "refunds", "removals", "tallies", "tasks"]

# Seconds between two times that a run is written while a piece goes on.
_BETWEEN = 5.0


class Overtaken(Exception):
    """Somebody else goes on with the run."""


@dataclass(slots=True)
class Piece:
    """What became of one: whether everything has been looked at, and by name the providers that do not answer."""

    is_done: bool = False
    silent: dict[str, ProviderUnavailable] = field(default_factory=dict)


class Progress:
    """Of a run without a row nothing is kept, and without ``asking`` providers are left alone.

    ``say`` is called with each finding as it is found.
    """

    def __init__(
        self, row: Reconciliation, asking: Asking | None, say: Callable[[Finding], object] = lambda _finding: None
    ) -> None:
        self.row = row
        self._asking, self._say = asking, say
        self._calls, self._written_at = row.calls, 0.0
        self._found = {_identity(said) for said in row.findings}
        # What is looked at of a time that is over has nothing to do with it.
        tells_of_now = row.until >= row.started_at
        before = Reconciliation.objects.telling_of_now().exclude(pk=row.pk)
        self._before = before.first() if tells_of_now else None
        self._scope = Scope(row.started_at, Window(row.since, row.until), asking, _by_kind(self._before))
        self._done: list[str] = row.cursor.setdefault("done", [])
        self._positions: dict[str, str] = row.cursor.setdefault("at", {})
        self._silent: dict[str, list[str]] = row.cursor.setdefault("silent", {})

    def go_on(self, now: datetime) -> Piece:
        """Look at what is left, until the piece is over. Raises Overtaken.

        A provider that is down holds up no other: it is left until it may be asked again, and the rest is done.
        """
        self._scope = replace(self._scope, now=now)
        piece = Piece(silent=self._not_to_be_asked(now))
        for check in self._left():
            if check.asks in piece.silent:
                continue
            try:
                self._look(check)
            except ProviderUnavailable as error:
                piece.silent[check.asks] = error
                self._silent[check.asks] = [(now + error.after).isoformat(), str(error)]
            if self._is_over:
                break
        piece.is_done = not self._left()
        self.write()
        return piece

    def do_without(self, name: str, reason: str) -> None:
        """A finding instead of what a provider would have said that does not answer."""
        self.add(Finding(FindingKind.PROVIDER_SILENT, name, {"reason": reason}))
        self._done += [check.name for check in self._left() if check.asks == name]

    def finish(self, now: datetime) -> list[Finding]:
        """Write that it is done; what the run before had not found, of what is kept. Raises Overtaken."""
        known = {_identity(said) for said in self._before.findings} if self._before else set()
        new = [said for said in self.row.findings if _identity(said) not in known]
        self.row.new = len(new) + max(0, _not_kept(self.row) - _not_kept(self._before))
        self.row.finished_at = now
        self.write()
        return [finding for said in new if (finding := Finding.of_json(said))]

    def add(self, finding: Finding) -> None:
        """Once, however often it is found."""
        said = finding.as_json()
        if _identity(said) not in self._found:
            self._found.add(_identity(said))
            self.row.counts[finding.kind.value] = self.row.counts.get(finding.kind.value, 0) + 1
            self._say(finding)
            if len(self.row.findings) < MAX_FINDINGS:
                self.row.findings.append(said)

    def write(self) -> None:
        """Keep how far it has come. Raises Overtaken where somebody else has written since."""
        row = self.row
        row.calls = self._calls + (self._asking.calls if self._asking else 0)
        if row.pk is None:
            return
        names = ("cursor", "counts", "findings", "new", "calls", "finished_at")
        same = Reconciliation.objects.filter(pk=row.pk, fence=row.fence, finished_at=None)
        if not same.update(fence=F("fence") + 1, **{name: getattr(row, name) for name in names}):
            raise Overtaken
        row.fence += 1
        self._written_at = self._asking.elapsed if self._asking else 0.0

    def _left(self) -> list[Check]:
        of_providers = [*stop_checks(self._scope), *part_checks(self._scope)] if self._asking else []
        return [check for check in (*CHECKS, *of_providers) if check.name not in self._done]

    def _not_to_be_asked(self, now: datetime) -> dict[str, ProviderUnavailable]:
        """Those that said when they want to be asked again, until then."""
        waits = {name: (datetime.fromisoformat(until) - now, why) for name, (until, why) in self._silent.items()}
        return {name: ProviderUnavailable(why, wait) for name, (wait, why) in waits.items() if wait > timedelta(0)}

    def _look(self, check: Check) -> None:
        """Until the check or the piece is over. Raises ProviderUnavailable, with what was reached before."""
        for found in check.look(self._scope, self._positions.get(check.name, "")):
            if isinstance(found, Finding):
                self.add(found)
                continue
            assert isinstance(found, Reached)
            self._positions[check.name] = found.position
            if self._is_over:
                return
            self._write_at_times()
        self._positions.pop(check.name, None)
        self._done.append(check.name)
        self._write_at_times()

    @property
    def _is_over(self) -> bool:
        return self._asking is not None and self._asking.is_over

    def _write_at_times(self) -> None:
        if self._asking and self._asking.elapsed >= self._written_at + _BETWEEN:
            self.write()


def _identity(said: dict[str, str]) -> tuple[str, str]:
    return said["kind"], said["subject"]


def _by_kind(row: Reconciliation | None) -> dict[str, frozenset[str]]:
    subjects: dict[str, set[str]] = defaultdict(set)
    for said in row.findings if row else ():
        subjects[said["kind"]].add(said["subject"])
    return {kind: frozenset(found) for kind, found in subjects.items()}


def _not_kept(row: Reconciliation | None) -> int:
    """How many findings are counted and not kept."""
    return row.count - len(row.findings) if row else 0
