"""Reads of the billing room, as frozen facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime

from django.db.models import QuerySet, Sum

from billing.models import Charge, Refund, RefundPart, RefundStatus
from billing.periods import Period
from billing.proration import ChargeFacts

Charges = Mapping[int, tuple[ChargeFacts, ...]]


def charges_not_over(agreement_ids: Collection[int], at: datetime) -> Charges:
    """The charges by agreement whose period ends after ``at``, corrections applied. One query."""
    found: dict[int, list[ChargeFacts]] = defaultdict(list)
    charges = Charge.objects.filter(agreement__in=agreement_ids, period_end__gt=at).select_related("agreement")
    for charge in charges.order_by("period_start", "pk"):
        found[charge.agreement_id].append(_facts(charge))
    return {agreement_id: tuple(facts) for agreement_id, facts in found.items()}


def held_by_charge(refunds: QuerySet[Refund]) -> dict[int, int]:
    """Minor units by charge that are held in these refunds, to be voided when the refund is. One query."""
    parts = RefundPart.objects.filter(refund__in=refunds.filter(status=RefundStatus.HELD).values("pk"))
    return dict(parts.values_list("charge_id").annotate(Sum("amount")))


def _facts(charge: Charge) -> ChargeFacts:
    charged = charge.charged - charge.corrected
    return ChargeFacts(
        id=charge.pk,
        description=charge.description,
        period=Period(charge.period_start, charge.period_end),
        currency=charge.agreement.currency,
        charged=charged,
        tax=charge.tax - charge.corrected_tax,
        # What was paid above a corrected charge came back with the correction.
        settled=min(charge.settled, charged),
        refunded=charge.refunded,
        in_flight=charge.in_flight,
    )
