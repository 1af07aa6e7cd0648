"""The periodic work of subscriptions."""

from __future__ import annotations

from datetime import timedelta

from outbox.registry import periodic
from subscriptions.cancellations.refunds import report_late_refunds
from subscriptions.directory.carrying import carry_stranded
from subscriptions.directory.settling import confirm_gone
from subscriptions.directory.work import forget_runs, pause_stuck_runs
from subscriptions.idempotency import forget_keys
from subscriptions.reconciliation.runs import reconcile_daily
from subscriptions.renewal import roll_periods

periodic(timedelta(minutes=1))(roll_periods)
periodic(timedelta(minutes=1))(pause_stuck_runs)
periodic(timedelta(minutes=5))(report_late_refunds)
periodic(timedelta(minutes=5))(confirm_gone)
periodic(timedelta(minutes=5))(carry_stranded)
periodic(timedelta(hours=6))(forget_keys)
periodic(timedelta(days=1))(forget_runs)
periodic(timedelta(days=1))(reconcile_daily)
