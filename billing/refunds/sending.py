"""Send what is due, and have it sent."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from billing.credit_form import CreditForm
from billing.models import SENDABLE_REFUND_STATUSES, PartStatus, Refund, RefundPart, RefundStatus
from billing.outages import retry_later
from billing.providers import credit_form, provider
from billing.providers.base import ProviderUnavailable
from billing.refunds.moves import OWED, lock, move, reprice_key
from billing.refunds.results import conclude, order_of, record_result
from billing.refunds.successors import convert
from billing.renewal_stop import UNDO_GRACE
from outbox.each import each_by_itself
from outbox.queue import enqueue, is_waiting, requeue
from outbox.registry import Lane, handles
from tenants.people import SYSTEM

SUBMIT = "refund.submit"
# Providers know a key again for a day at least: what was sent sooner is not made twice by it.
_REMEMBERED = timedelta(hours=12)
# After a worker was down facts may be older than what is due: they come first.
_PRICED_SOON = timedelta(seconds=1)


@handles(SUBMIT, Lane.MONEY)
def submit(payload: dict[str, int], now: datetime) -> datetime | None:
    """Send a refund that is due, part by part, and move it by what the provider says.

    A part is marked SENT before the provider is asked. One that is found SENT may have arrived: the provider is
    asked what became of it before anything is sent again. What is held stays so for UNDO_GRACE longer: our clock may be
    ahead of the one by which the undo is still open.
    """
    refund = Refund.objects.select_related("agreement__account__tenant").get(pk=payload["refund"])
    if refund.status == RefundStatus.HELD:
        if now < refund.held_until + UNDO_GRACE:
            return refund.held_until + UNDO_GRACE
        with transaction.atomic(durable=True):
            move(refund, (RefundStatus.HELD,), RefundStatus.PENDING, SYSTEM, now)
    refund.refresh_from_db(fields=["status"])
    if refund.status not in SENDABLE_REFUND_STATUSES:
        return None
    convert(refund, now)
    waiting = refund.parts.filter(status__in=[PartStatus.WAITING, PartStatus.SENT])
    for part_id in waiting.order_by("pk").values_list("pk", flat=True):
        if not _send(refund, part_id, now):
            return now + _PRICED_SOON
    return conclude(refund, now)


def _send(refund: Refund, part_id: uuid.UUID, now: datetime) -> bool:
    """Send one part; False while facts are on record by which it was not priced yet."""
    with transaction.atomic(durable=True):
        lock(refund)
        if is_waiting(reprice_key(refund.agreement_id)):
            return False
        # Read when locked: facts may have given it another amount, or taken it away, since the refund was.
        rows = RefundPart.objects.select_related("charge", "refund__agreement").filter(pk=part_id)
        part = rows.filter(status__in=[PartStatus.WAITING, PartStatus.SENT]).first()
        if part is None or refund.status not in SENDABLE_REFUND_STATUSES:
            return True
        waiting = RefundPart.objects.filter(pk=part.pk, status=PartStatus.WAITING)
        first = waiting.update(status=PartStatus.SENT, sent_at=now)
        move(refund, (RefundStatus.PENDING,), RefundStatus.SUBMITTED, SYSTEM, now)
        if first:
            say_owed(refund, now)
    refund_request = order_of(part, now)
    may_be_there = not first or now > refund.held_until + _REMEMBERED
    try:
        via = provider(refund.provider)
        result = (via.find(refund_request) if may_be_there else None) or via.refund(refund_request)
    except ProviderUnavailable as error:
        raise retry_later(error, refund.provider, now) from error
    record_result(part, result, PartStatus.SENT)
    return True


def say_owed(refund: Refund, now: datetime) -> None:
    """Once nothing of one that is owed can change any more, ask those above billing to say so.

    That is when its last part that waited was sent, or taken away.
    """
    is_owed = credit_form(refund.provider) is CreditForm.OWED
    if is_owed and not refund.parts.filter(status=PartStatus.WAITING).exists():
        enqueue(kind=OWED, key=f"{OWED}:{refund.pk}", payload={"refund": refund.pk}, run_at=now, now=now)


def send_stranded(now: datetime) -> int:
    """Ask again for the sending of refunds that are due and that nothing will send. Returns how many."""
    due = Refund.objects.filter(
        Q(status__in=SENDABLE_REFUND_STATUSES) | Q(status=RefundStatus.HELD, held_until__lte=now - UNDO_GRACE),
        requested_at__lte=now,
    )
    return each_by_itself(due, lambda refund: _send_again(refund, now), work="send_stranded_refunds", now=now)


def _send_again(refund: Refund, now: datetime) -> bool:
    ask_to_send(refund, now, now)
    return requeue(key=_key(refund), now=now, only_done=True)


def send_soon(refund: Refund, now: datetime) -> None:
    """Have a refund sent once more, in the caller's transaction."""
    ask_to_send(refund, now, now)
    requeue(key=_key(refund), now=now)


def ask_to_send(refund: Refund, run_at: datetime, now: datetime) -> None:
    """Have it sent from ``run_at`` on, in the caller's transaction. Asked for before, it stays as it was."""
    enqueue(kind=SUBMIT, key=_key(refund), payload={"refund": refund.pk}, run_at=run_at, now=now)


def _key(refund: Refund) -> str:
    return f"{SUBMIT}:{refund.pk}"
