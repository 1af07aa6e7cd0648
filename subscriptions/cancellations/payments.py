"""A partner that pays refunds for the installation says that one was paid."""

from __future__ import annotations

from datetime import UTC, datetime

from billing.models import Refund
from billing.refunds.owed import mark_paid
from common.errors import NotFound
from subscriptions.idempotency import IdempotentCall, one_transaction
from subscriptions.inputs import clean_text, locked_subscription
from subscriptions.models import Subscription
from tenants.callers import Caller, Scope

_LONGEST_REFERENCE = 100


def mark_refund_paid(
    *, caller: Caller, refund_id: int, paid_at: datetime, reference: str, idempotency_key: str, now: datetime
) -> Refund:
    """Note that a refund which was owed was paid; the refund, as it is then.

    Repeating it, with the same key or by the same reference, changes nothing. Raises NotFound, NotPermitted,
    RefundNotOwed, RefundPaidBefore, IdempotencyKeyReused, InputInvalid.
    """
    with one_transaction():
        subscription = Subscription.objects.filter(agreement__refunds=refund_id).first()
        if subscription is None:
            raise NotFound("refundId")
        tenant_id = locked_subscription(caller, subscription.pk, Scope.SETTLE, "refundId").tenant_id
        reference = clean_text(reference, "reference", limit=_LONGEST_REFERENCE, required=True)
        given = {"refund": refund_id, "paid_at": paid_at.astimezone(UTC).isoformat(), "reference": reference}
        call = IdempotentCall.of(tenant_id, "markRefundPaid", idempotency_key, now, **given)
        refund = Refund.objects.select_related("agreement__account__tenant").get(pk=refund_id)
        if not call.answered():
            mark_paid(refund=refund, paid_at=paid_at, reference=reference, caller=caller, now=now)
            call.remember({"refund": refund.pk})
        refund.refresh_from_db(fields=["status", "returned_at"])
        return refund
