"""What follows for a cancellation when its money moves: returned, failed, late, or priced anew."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from billing.models import Refund
from billing.proration import NoRefundReason
from billing.refunds.late import late_refunds, note_late
from billing.refunds.moves import FAILED, OWED, RETURNED
from billing.refunds.repricing import Repricing
from billing.selectors import charged_before, charges_not_over
from billing.signals import refund_left_early, refunds_repriced
from outbox.each import each_by_itself
from outbox.mail import queue_staff_mail
from outbox.registry import Lane, handles
from subscriptions.cancellations.mail_queue import Occasion, queue_mail, queue_refund_mail
from subscriptions.events import SubscriptionEvent, publish_refund
from subscriptions.models import Cancellation
from subscriptions.policy.facts import Mode
from subscriptions.policy.quotes import why_nothing


@handles(OWED, Lane.MONEY)
def publish_owed(payload: dict[str, Any], now: datetime) -> None:
    """It can be taken back no more, and whoever runs this has to pay it: tell the system that does."""
    refund = Refund.objects.select_related("agreement").get(pk=payload["refund"])
    publish_refund(SubscriptionEvent.REFUND_OWED, refund, str(refund.pk), now)


@handles(RETURNED, Lane.MONEY)
def publish_returned(payload: dict[str, Any], now: datetime) -> None:
    """It was paid back, credited or paid: tell those who wait for it."""
    refund = Refund.objects.select_related("agreement").get(pk=payload["refund"])
    publish_refund(SubscriptionEvent.REFUND_SETTLED, refund, f"{refund.pk}:{payload['at']}", now)
    queue_refund_mail(Occasion.REFUNDED, refund, datetime.fromisoformat(payload["at"]))


@handles(FAILED, Lane.MONEY)
def publish_failed(payload: dict[str, Any], now: datetime) -> None:
    """The provider refused it, all or in part: tell partners, and at once staff and those who wait for it."""
    refund = Refund.objects.select_related("agreement").get(pk=payload["refund"])
    publish_refund(SubscriptionEvent.REFUND_FAILED, refund, f"{refund.pk}:{payload['at']}", now)
    report_late_refunds(now)


def report_late_refunds(now: datetime) -> int:
    """Tell staff, and once the tenant, of refunds that are overdue or failed."""
    return each_by_itself(
        late_refunds(now), lambda refund: _report_late(refund, now), work="report_late_refunds", now=now
    )


def _report_late(refund: Refund, now: datetime) -> bool:
    with transaction.atomic(durable=True):
        if not note_late(refund=refund, now=now):
            return False
        if refund.cancellations.exists():
            queue_refund_mail(Occasion.REFUND_LATE, refund, now)
        else:
            # Made by hand: no cancellation has anybody who waits for it.
            values = {"refund": refund.pk, "amount": refund.money}
            queue_staff_mail(key=f"late:{refund.pk}:{now.isoformat()}", sentence=_LATE, values=values, now=now)
        return True


_LATE = _("Refund %(refund)s of %(amount)s, made by hand, failed or is overdue.")


@receiver(refunds_repriced)
def follow_repricing(*, repricing: Repricing, now: datetime, **_more: Any) -> None:
    """Link what was added to the cancellation in force, say why nothing comes back, and send its receipt anew.

    Where nothing came back before and nothing does now, the reason alone may be another one: that is no mail.
    """
    in_force = Cancellation.objects.filter(subscription__agreement=repricing.agreement, undone_at=None)
    for cancellation in in_force.select_related("tenant", "requested_by_user", "requested_by_vouched"):
        if repricing.added:
            cancellation.refunds.add(repricing.added)
        reason = _why_nothing(cancellation, repricing)
        if cancellation.no_refund_reason != reason:
            Cancellation.objects.filter(pk=cancellation.pk).update(no_refund_reason=reason)
        if repricing.changed or repricing.added:
            queue_mail(Occasion.REPRICED, cancellation, now)


def _why_nothing(cancellation: Cancellation, repricing: Repricing) -> str:
    """As a quote would say it by the facts of now; what was decided by no charge stays. Empty where something does."""
    decided = cancellation.quote["no_refund_reason"]
    if repricing.reason is None or decided in _BY_NO_CHARGE:
        return decided if repricing.reason else ""
    agreements, at = [repricing.agreement.pk], cancellation.priced_at
    charges = charges_not_over(agreements, at).get(repricing.agreement.pk, ())
    was_charged = bool(charged_before(agreements, at))
    mode, effective_at = Mode(cancellation.mode), cancellation.effective_at
    return why_nothing(mode, repricing.reason, charges, was_charged, at, effective_at).value


_BY_NO_CHARGE = (NoRefundReason.PREPAID, NoRefundReason.TRIAL, NoRefundReason.AGREED)


@receiver(refund_left_early)
def close_undo(*, refund: Refund, now: datetime, **_more: Any) -> None:
    """Nobody is offered to take back what cannot be taken back any more."""
    refund.cancellations.filter(undone_at=None, undo_until__gt=now).update(undo_until=now)
