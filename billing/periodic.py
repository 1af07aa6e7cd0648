"""The periodic work of billing."""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.refunds.sending import send_stranded
from billing.refunds.successors import convert_unpaid
from outbox.registry import periodic


@periodic(timedelta(minutes=5))
def send_stranded_refunds(now: datetime) -> int:
    """A refund that is due is sent although the task that should have was lost or forgotten."""
    return send_stranded(now)


@periodic(timedelta(minutes=5))
def convert_unpaid_refunds(now: datetime) -> int:
    """What is still to be paid is said in what it will be paid in."""
    return convert_unpaid(now)
