"""Money that left without us: refunded in a provider's dashboard, disputed, or missing from what an export says."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, Sum
from django.db.models.functions import Greatest

from billing.models import (
    IMPORTED,
    Agreement,
    Charge,
    PartStatus,
    RefundPart,
    RefundStatus,
    ReturnElsewhere,
)
from billing.return_kinds import ReturnKind, ReturnStatus
from billing.writing import ChargeChange, change_charge
from tenants.actions import Action


def write_return(
    agreement: Agreement,
    charge: Charge,
    *,
    source: str,
    kind: ReturnKind,
    external_id: str,
    amount: int,
    status: ReturnStatus,
    known_at: datetime,
    now: datetime,
) -> ChargeChange | None:
    """Keep what ``source`` says of money that left, as it was at ``known_at``; None where that changes nothing.

    Within a transaction that has locked the agreement. An older word than the one on record is not taken, and of two of
    one second the one that is further on, or the higher of two totals.
    """
    rows = ReturnElsewhere.objects.filter(charge=charge, source=source, kind=kind)
    known = rows.filter(external_id=external_id).first()
    if _is_no_news(known, known_at, status, amount):
        return None
    if known and kind is ReturnKind.REFUND and status is ReturnStatus.BACK and known.status != ReturnStatus.BACK:
        # Nothing says the total anew when a refund fails.
        totals = ReturnElsewhere.objects.filter(
            charge=charge, source=source, kind=ReturnKind.NET, known_at__lte=known_at
        )
        # Dated anew, or the total that still had it would be taken when it is said once more.
        totals.update(amount=Greatest(F("amount") - known.amount, 0), known_at=known_at)
    ReturnElsewhere.objects.update_or_create(
        charge=charge, source=source, kind=kind, external_id=external_id,
        defaults={"amount": amount, "status": status.value, "known_at": known_at},
    )  # fmt: skip
    refunded, disputed, said = _sums(charge)
    return change_charge(
        agreement,
        charge,
        Action.CHARGE_DISPUTED if kind is ReturnKind.DISPUTE else Action.CHARGE_RETURNED_ELSEWHERE,
        source=source,
        now=now,
        returned_elsewhere=max(refunded, said),
        disputed=disputed,
    )


def _is_no_news(known: ReturnElsewhere | None, known_at: datetime, status: ReturnStatus, amount: int) -> bool:
    if known is None:
        return not amount
    is_total = known.kind == ReturnKind.NET and known.source != IMPORTED
    standing = (known.known_at, _FURTHER[known.status], known.amount if is_total else 0)
    return standing > (known_at, _FURTHER[status], amount if is_total else 0)


# What of one second comes later.
_FURTHER: dict[str, int] = {ReturnStatus.OPEN: 0, ReturnStatus.GONE: 1, ReturnStatus.BACK: 2}


def write_net(
    agreement: Agreement, charge: Charge, *, source: str, gone: int, known_at: datetime, now: datetime
) -> ChargeChange | None:
    """``source`` says that ``gone`` minor units in all have left again. What we sent of it is none of others'."""
    return write_return(
        agreement, charge, source=source, kind=ReturnKind.NET, external_id="", amount=max(0, gone - _sent(charge)),
        status=ReturnStatus.GONE, known_at=known_at, now=now,
    )  # fmt: skip


def _sent(charge: Charge) -> int:
    """What of a charge left by us, or may have."""
    parts = RefundPart.objects.filter(charge=charge)
    sent = parts.filter(status__in=[PartStatus.SENT, PartStatus.SUCCEEDED])
    by_hand = parts.filter(refund__status=RefundStatus.SETTLED_MANUALLY)
    return (sent | by_hand).aggregate(Sum("amount"))["amount__sum"] or 0


def _sums(charge: Charge) -> tuple[int, int, int]:
    """What was refunded elsewhere, what is disputed, and what is said to be gone in all.

    Several who say the last say the same thing, so the largest counts. A file that says less was paid does not tell a
    refund from a dispute.
    """
    sums = dict.fromkeys(ReturnKind, 0)
    rows = ReturnElsewhere.objects.filter(charge=charge).exclude(status=ReturnStatus.BACK)
    said = []
    for kind, source, amount in rows.values_list("kind", "source", "amount"):
        if kind == ReturnKind.NET:
            said.append((source, amount))
        else:
            sums[ReturnKind(kind)] += amount
    disputed = sums[ReturnKind.DISPUTE]
    nets = (amount - disputed if source == IMPORTED else amount for source, amount in said)
    return sums[ReturnKind.REFUND], disputed, max(nets, default=0)
