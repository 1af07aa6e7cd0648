"""What reconciling finds now, as it says it: of the last weeks, and of what stands open."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from subscriptions.models import Reconciliation
from subscriptions.reconciliation import looking
from subscriptions.reconciliation.asking import Asking
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.progress import Progress


def found(
    now: datetime, *, ask_provider: bool = True, since: datetime | None = None, until: datetime | None = None
) -> list[Finding]:
    """All of it, in one piece. What moves at this very instant is in it."""
    until = until or now + timedelta(seconds=1)
    row = Reconciliation(since=since or now - timedelta(days=45), until=until, started_at=now)
    asking = Asking(1_000_000) if ask_provider else None
    said: list[Finding] = []
    progress = Progress(row, asking, said.append)
    with pytest.MonkeyPatch.context() as patch:
        # Days by days are statements by statements: one piece says the same sooner.
        patch.setattr(looking, "DAY", timedelta(days=1_000))
        piece = progress.go_on(now)
    for name, error in piece.silent.items():
        progress.do_without(name, str(error))
    assert row.count == len(said)
    return said


def findings(now: datetime, *, ask_provider: bool = True) -> list[str]:
    return [str(finding) for finding in found(now, ask_provider=ask_provider)]
