"""What providers are asked, what they say, and what that makes of a part and its refund."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from billing import providers
from billing.models import (
    SENDABLE_REFUND_STATUSES,
    STUCK_REFUND_STATUSES,
    PartStatus,
    Refund,
    RefundPart,
    RefundStatus,
)
from billing.money import Money
from billing.outages import retry_later
from billing.providers.base import ProviderUnavailable, RefundOutcome, RefundRequest, RefundResult
from billing.refunds.moves import move
from common.whole_numbers import whole_number
from outbox.mail import queue_staff_mail
from outbox.queue import enqueue_anew
from outbox.registry import Lane, handles
from tenants.people import SYSTEM

CHECK = "refund.check"


def order_of(part: RefundPart, at: datetime) -> RefundRequest:
    """What the provider is asked for a part. Reads the charge, refund and agreement: select_related them."""
    return RefundRequest(
        key=part.key,
        charge=part.charge_id,
        charge_id=part.charge.external_id,
        amount=part.charge.money(part.amount),
        promised=Money(part.promised, part.refund.currency),
        text=part.charge.description,
        at=at,
    )


def record_provider_event(*, provider: str, key: str, result: RefundResult, now: datetime) -> bool:
    """Take what ``provider`` says by itself about the part with this key; False when it was sent none.

    Nothing that a provider says is final, and what it says may come late: a word against what is on record is not
    taken as it stands, the provider is asked what is true now.
    """
    try:
        parts = RefundPart.objects.filter(pk=uuid.UUID(key.partition(".")[0]), refund__provider=provider)
    except ValueError:
        return False
    part = parts.select_related("refund__agreement__account").first()
    if part is None:
        return False
    if part.key != key:
        return _is_older_key(part, key) and _ask_what_became(part, key, now)
    # Heard before our own sender wrote that it sends: the provider would not know the key otherwise.
    RefundPart.objects.filter(pk=part.pk, status=PartStatus.WAITING).update(status=PartStatus.SENT, sent_at=now)
    record_result(part, result, PartStatus.SENT)
    part.refresh_from_db(fields=["status"])
    if result.outcome is not RefundOutcome.PENDING and part.status != result.outcome.value:
        _ask_what_became(part, key, now)
    conclude(part.refund, now)
    return True


@handles(CHECK, Lane.MONEY)
def check(payload: dict[str, str], now: datetime) -> None:
    """Ask the provider what has become of a part that it contradicted itself about, and take its word.

    Also under a key that failed and was replaced: what arrives under it after all need not be sent again, or was twice.
    """
    rows = RefundPart.objects.select_related("charge", "refund__agreement__account")
    part = rows.filter(pk=payload["part"]).first()
    if part is None:
        return
    try:
        result = providers.provider(part.refund.provider).find(replace(order_of(part, now), key=payload["key"]))
    except ProviderUnavailable as error:
        raise retry_later(error, part.refund.provider, now) from error
    if result is None or result.outcome is RefundOutcome.PENDING:
        return
    if result.outcome is RefundOutcome.SUCCEEDED and _is_paid_otherwise(part, payload["key"]):
        RefundPart.objects.filter(pk=part.pk).update(amount_by_rule=0)
        queue_staff_mail(key=f"twice:{part.pk}", sentence=_PAID_TWICE, values={"refund": part.refund_id}, now=now)
    if part.refund.status == RefundStatus.VOIDED:
        # It is no promise of ours: reconcile names it until staff have seen to it.
        return
    if part.key == payload["key"]:
        record_result(part, result, PartStatus.SUCCEEDED, PartStatus.FAILED)
    elif result.outcome is RefundOutcome.SUCCEEDED:
        record_result(part, result, PartStatus.WAITING, PartStatus.FAILED)
    conclude(part.refund, now)


_PAID_TWICE = _(
    "The provider says that it paid refund %(refund)s, which was sent again, taken back or settled by hand. Look at both."
)


def _is_older_key(part: RefundPart, key: str) -> bool:
    number = whole_number(key.partition(".")[2] or "0")
    return number is not None and number < part.retries


def _is_paid_otherwise(part: RefundPart, key: str) -> bool:
    """Whether the money of a part has left, or may have, in another way than under this key."""
    if part.refund.status == RefundStatus.SETTLED_MANUALLY:
        return part.status == PartStatus.FAILED
    if part.refund.status == RefundStatus.VOIDED:
        return True
    return part.key != key and part.status in (PartStatus.SENT, PartStatus.SUCCEEDED)


def _ask_what_became(part: RefundPart, key: str, now: datetime) -> bool:
    with transaction.atomic():
        enqueue_anew(kind=CHECK, payloads={f"{CHECK}:{key}": {"part": str(part.pk), "key": key}}, now=now)
    return True


def record_result(part: RefundPart, result: RefundResult, *expected: PartStatus) -> None:
    """Write down the provider's word for a part that stands where it is ``expected``."""
    rows = RefundPart.objects.filter(pk=part.pk, status__in=expected)
    if result.outcome is RefundOutcome.PENDING:
        rows.update(reference=result.reference[:100])
    else:
        outcome = PartStatus(result.outcome.value)
        rows.update(status=outcome, reference=result.reference[:100], failure=result.failure[:200])


# What the provider's word can move a refund from: all that went out. Held, voided and settled by hand is ours to say.
_CONCLUDED_FROM = (*SENDABLE_REFUND_STATUSES, *STUCK_REFUND_STATUSES, RefundStatus.SUCCEEDED)


def conclude(refund: Refund, now: datetime) -> datetime | None:
    """Say of the refund what all its parts together say; when to ask again while one is still on its way."""
    statuses = set(refund.parts.values_list("status", flat=True))
    if statuses & {PartStatus.WAITING, PartStatus.SENT}:
        return now + providers.provider(refund.provider).declares.ask_again
    if PartStatus.FAILED not in statuses:
        status = RefundStatus.SUCCEEDED
    elif PartStatus.SUCCEEDED in statuses:
        status = RefundStatus.PARTIALLY_SUCCEEDED
    else:
        status = RefundStatus.FAILED
    with transaction.atomic(durable=True):
        refund.refresh_from_db(fields=["status"])
        before = RefundStatus(refund.status)
        went_out = before in _CONCLUDED_FROM and before is not status
        if went_out:
            returned_at = now if status is RefundStatus.SUCCEEDED else None
            # Whoever was told that it came back hears once more when that is no longer so.
            values = {"returned_at": returned_at, "found_late_at": None}
            move(refund, (before,), status, SYSTEM, now, values, before=before.value)
    return None
