"""What Stripe says by itself, read: as its API reference describes the objects, with nothing believed of their shape.

Every event carries the object as it was when the event was made, and events come late, twice and out of order: what is
read says since when it was so, and whoever takes it compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from billing.providers.base import (
    PaymentUpdate,
    RefundOutcome,
    RefundResult,
    RefundUpdate,
    ReturnUpdate,
    SubscriptionUpdate,
    Update,
)
from billing.providers.stripe.amounts import from_stripe
from billing.return_kinds import ReturnKind, ReturnStatus

# Where we write our key, because Stripe forgets idempotency keys after a day.
KEY = "wayout_part"
_REFUNDS = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
_CHARGES = ("charge.succeeded", "charge.captured", "charge.updated", "charge.refunded", "charge.failed")
_SUBSCRIPTIONS = ("customer.subscription.updated", "customer.subscription.deleted")
_OUTCOMES = {"succeeded": RefundOutcome.SUCCEEDED, "failed": RefundOutcome.FAILED, "canceled": RefundOutcome.FAILED}
_GONE = {
    RefundOutcome.SUCCEEDED: ReturnStatus.GONE,
    RefundOutcome.PENDING: ReturnStatus.OPEN,
    RefundOutcome.FAILED: ReturnStatus.BACK,
}
# An inquiry ("warning_...") has taken no money yet.
_DISPUTES = {
    "needs_response": ReturnStatus.OPEN,
    "under_review": ReturnStatus.OPEN,
    "lost": ReturnStatus.GONE,
    "won": ReturnStatus.BACK,
    "warning_closed": ReturnStatus.BACK,
    "prevented": ReturnStatus.BACK,
}


def updates_of(event: Any) -> tuple[str, Sequence[Update]]:
    """What an event is called and what it says; nothing for what is no news of ours.

    What happened in an account connected to ours is none of our charges.
    """
    data = event.get("data") if isinstance(event, dict) and not event.get("account") else None
    body = data.get("object") if isinstance(data, dict) else None
    if not isinstance(body, dict):
        return "", ()
    kind, at = text(event.get("type")), _instant(event.get("created"))
    if kind in _REFUNDS:
        return kind, _refund(body, at)
    if kind in _CHARGES:
        return kind, _charge(body, kind, at)
    if kind.startswith("charge.dispute."):
        return kind, _dispute(body, at)
    if kind in _SUBSCRIPTIONS and (number := text(body.get("id"))):
        return kind, [SubscriptionUpdate(number)]
    return kind, ()


def text(value: Any) -> str:
    """A text of an event or answer; empty for anything else, and for what no column holds."""
    return value if isinstance(value, str) and "\x00" not in value else ""


def result_of(refund: Mapping[str, Any]) -> RefundResult | None:
    """What a refund of Stripe says. Everything that is not an end is pending; None for what is no refund."""
    number = text(refund.get("id"))
    if not number:
        return None
    outcome = _OUTCOMES.get(text(refund.get("status")), RefundOutcome.PENDING)
    return RefundResult(outcome, number, text(refund.get("failure_reason")) if outcome is RefundOutcome.FAILED else "")


def key_of(refund: Mapping[str, Any]) -> str:
    """The key that we wrote on a refund; empty on one that is not ours."""
    metadata = refund.get("metadata")
    return text(metadata.get(KEY)) if isinstance(metadata, dict) else ""


def _refund(body: Mapping[str, Any], at: datetime | None) -> Sequence[Update]:
    """Ours by its key, or one that somebody made in the dashboard."""
    result = result_of(body)
    if result is None:
        return ()
    elsewhere = _return(body, ReturnKind.REFUND, _GONE[result.outcome], at)
    if key := key_of(body):
        return [RefundUpdate(key, result, elsewhere)]
    return [elsewhere] if elsewhere else ()


def _charge(body: Mapping[str, Any], kind: str, at: datetime | None) -> Sequence[Update]:
    """What of a charge was paid, and how much of that was refunded since, by whomever."""
    ids = _ids(body, "id", "payment_intent")
    paid, currency = _amount(body, "amount_captured"), _currency(body)
    failed = kind == "charge.failed"
    # A debit that is on its way has its whole amount as captured, too.
    is_there = text(body.get("status")) in ("succeeded", "")
    updates: list[Update] = []
    if ids and (failed or (is_there and paid is not None)):
        updates.append(PaymentUpdate(ids, 0 if failed else paid or 0, currency, failed, at))
    refunded = _amount(body, "amount_refunded")
    if ids and refunded is not None and not failed:
        updates.append(ReturnUpdate(ids, ReturnKind.NET, "", refunded, currency, ReturnStatus.GONE, at))
    return updates


def _dispute(body: Mapping[str, Any], at: datetime | None) -> Sequence[Update]:
    status = _DISPUTES.get(text(body.get("status")))
    update = _return(body, ReturnKind.DISPUTE, status, at) if status else None
    return [update] if update else ()


def _return(
    body: Mapping[str, Any], kind: ReturnKind, status: ReturnStatus, at: datetime | None
) -> ReturnUpdate | None:
    ids, number, amount = _ids(body, "charge", "payment_intent"), text(body.get("id")), _amount(body, "amount")
    if not ids or not number or amount is None:
        return None
    return ReturnUpdate(ids, kind, number[:100], amount, _currency(body), status, at)


def _amount(body: Mapping[str, Any], name: str) -> int | None:
    """In our minor units; None for what is no amount."""
    amount = body.get(name)
    return from_stripe(amount, _currency(body)) if type(amount) is int else None


def _currency(body: Mapping[str, Any]) -> str:
    return text(body.get("currency")).upper()


def _ids(body: Mapping[str, Any], *names: str) -> frozenset[str]:
    return frozenset(found for name in names if (found := text(body.get(name))))


def _instant(value: Any) -> datetime | None:
    """When the event was made; None for what is no time."""
    return datetime.fromtimestamp(value, UTC) if type(value) is int and 0 < value < 4_000_000_000 else None
