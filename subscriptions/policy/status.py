"""Where a subscription is in its life at an instant, and in which period."""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.periods import Period, rolled
from subscriptions.policy.facts import InForce, Mode, Snapshot, Status

EXPIRED_FOR = timedelta(days=30)
DISABLED_FOR = timedelta(days=90)


IN_SERVICE = (Status.ACTIVE, Status.SUSPENDED, Status.CANCELING)


def is_in_service(status: Status) -> bool:
    """Whether a subscription has not ended: asked of its status now, and in SQL by ``SubscriptionQuerySet.in_service``.

    What is suspended, or canceled for later, still has its holders and can be changed.
    """
    return status in IN_SERVICE


def status_at(snapshot: Snapshot, at: datetime) -> Status:
    """The status at ``at``: what was last said of it, moved on by the time that has passed since.

    After its end an immediate cancellation is DISABLED for 90 days; any other end is EXPIRED for 30 days and
    then DISABLED for 90. DELETED after that.
    """
    end = _end(snapshot)
    if end is None or at < end:
        return Status.CANCELING if snapshot.cancellation else snapshot.base_status
    if not snapshot.cancellation and snapshot.base_status not in (Status.ACTIVE, Status.SUSPENDED):
        return snapshot.base_status
    immediate = snapshot.cancellation is not None and snapshot.cancellation.mode is Mode.IMMEDIATE
    expired_for = timedelta(0) if immediate else EXPIRED_FOR
    if at < end + expired_for:
        return Status.EXPIRED
    return Status.DISABLED if at < end + expired_for + DISABLED_FOR else Status.DELETED


def current_period(snapshot: Snapshot, at: datetime) -> Period | None:
    """The period that contains ``at``: the one on record, or a later term when it renews by itself.

    Of what was canceled, the last one, which an immediate cancellation cuts off. Anchors do not drift: 31 January,
    29 February, 31 March.
    """
    canceled = snapshot.cancellation
    if canceled is None:
        return _period_at(snapshot, at)
    last = _period_at(snapshot, _last_instant(canceled))
    if last is None or canceled.mode is Mode.AT_PERIOD_END:
        return last
    return Period(min(last.start, canceled.effective_at), canceled.effective_at)


def converts(snapshot: Snapshot) -> bool:
    """Whether a trial turns into a paid subscription by itself. Nobody knows of a payment method: assume one."""
    return snapshot.is_trial and snapshot.renews and snapshot.has_payment_method is not False


def ends_by_itself(snapshot: Snapshot, at: datetime) -> datetime | None:
    """When a subscription that does not renew ends without anybody doing anything, if known."""
    period = current_period(snapshot, at)
    return None if snapshot.renews or snapshot.cancellation or period is None else period.end


def is_trial(snapshot: Snapshot, at: datetime) -> bool:
    """A trial that converts is a trial until its period ends, unless it was canceled before."""
    until = min(at, _last_instant(snapshot.cancellation)) if snapshot.cancellation else at
    converted = converts(snapshot) and snapshot.period is not None and until >= snapshot.period.end
    return snapshot.is_trial and not converted


def _period_at(snapshot: Snapshot, at: datetime) -> Period | None:
    period = snapshot.period
    if period is None or at < period.end or not snapshot.renews:
        return period
    if snapshot.term_months is None:
        return None
    return rolled(snapshot.anchored_at or period.start, snapshot.term_months, at, snapshot.zone)


def _last_instant(canceled: InForce) -> datetime:
    """An instant of the last period. One that was canceled for its end does not contain that."""
    at_end = canceled.mode is Mode.AT_PERIOD_END
    return canceled.effective_at - datetime.resolution if at_end else canceled.effective_at


def _end(snapshot: Snapshot) -> datetime | None:
    if snapshot.cancellation:
        return snapshot.cancellation.effective_at
    goes_on = converts(snapshot) if snapshot.is_trial else snapshot.renews
    return None if goes_on or snapshot.period is None else snapshot.period.end
