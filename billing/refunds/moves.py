"""What becomes of a refund, one move at a time.

Every move is a conditional UPDATE whose row count decides, and an event on the tenant's trail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from billing.models import STUCK_REFUND_STATUSES, Refund, RefundStatus
from common.languages import DEFAULT_LANGUAGE
from outbox.queue import enqueue
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller

# Done in an app above: whoever knows whom the money belongs to tells them.
RETURNED = "refund.returned"
FAILED = "refund.failed"
OWED = "refund.owed"
# Done where facts are priced, which stands above what sends.
REPRICE = "agreement.reprice"


def reprice_key(agreement_id: int | str) -> str:
    """The task that prices what an agreement's ending gives back once more."""
    return f"{REPRICE}:{agreement_id}"


def lock(refund: Refund) -> None:
    """Lock the refund and read its status: a part is never sent while staff settle the refund by hand."""
    refund.status = Refund.objects.select_for_update(no_key=True).values_list("status", flat=True).get(pk=refund.pk)


def move(
    refund: Refund,
    expected: Sequence[RefundStatus],
    to: RefundStatus,
    caller: Caller,
    now: datetime,
    values: Mapping[str, Any] = MappingProxyType({}),
    **evidence: str,
) -> bool:
    """One move of the state machine, with other ``values`` of its row; False when it stands elsewhere.

    Inside a transaction. The row is written once: written twice, PostgreSQL checks its foreign keys, which takes locks.
    """
    if not Refund.objects.filter(pk=refund.pk, status__in=expected).update(status=to, changed_at=now, **values):
        return False
    audit_refund(refund, Action(f"refund.{to.value.lower()}"), caller, now, **evidence)
    _tell(refund, to, now)
    return True


def audit_refund(refund: Refund, action: Action, caller: Caller, now: datetime, **evidence: str) -> None:
    """Write down on the tenant's trail what became of a refund. Reads its agreement and account."""
    record(
        tenant_id=refund.agreement.account.tenant_id,
        at=now,
        action=action,
        subject=f"Refund:{refund.pk}",
        caller=caller,
        language=caller.language or DEFAULT_LANGUAGE,
        data={"amount": refund.amount, "currency": refund.currency, **evidence},
    )


def _tell(refund: Refund, status: RefundStatus, now: datetime) -> None:
    """Ask whoever lives above billing to tell people what has become of the money."""
    if status in (RefundStatus.SUCCEEDED, RefundStatus.SETTLED_MANUALLY):
        payload = {"refund": refund.pk, "at": now.isoformat()}
        enqueue(kind=RETURNED, key=f"{RETURNED}:{refund.pk}:{now.isoformat()}", payload=payload, run_at=now, now=now)
    elif status in STUCK_REFUND_STATUSES:
        payload = {"refund": refund.pk, "at": now.isoformat()}
        enqueue(kind=FAILED, key=f"{FAILED}:{refund.pk}:{now.isoformat()}", payload=payload, run_at=now, now=now)
