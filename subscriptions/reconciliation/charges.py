"""Charges: what is reserved of them, what a correction left, and what was billed that should not have been."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, F, Min, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from billing.models import Charge, PartStatus, ProviderNotice, RefundPart, RefundStatus
from billing.providers import billing_providers
from billing.selectors import charges_at, charges_with_excess, late_charges
from common.chunks import chunks
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from subscriptions.reconciliation.looking import Scope, compares, stands_open


@compares
def reserved_otherwise(scope: Scope) -> Iterator[Finding]:
    parts = RefundPart.objects.filter(charge=OuterRef("pk")).exclude(refund__status=RefundStatus.VOIDED)
    returned = Coalesce(Subquery(parts.values("charge").annotate(sum=Sum("amount")).values("sum")), 0)
    wrong = Charge.objects.annotate(returned=returned).exclude(refunded=F("returned"))
    moved = scope.chosen(
        FindingKind.RESERVED_OTHERWISE,
        Charge.objects.filter(**scope.window.of("recorded_at")).values_list("pk", flat=True),
        RefundPart.objects.filter(**scope.window.of("refund__changed_at")).values_list("charge", flat=True),
    )
    for keys in chunks(moved):
        for charge in wrong.filter(pk__in=keys):
            yield _finding(FindingKind.RESERVED_OTHERWISE, charge, reserved=charge.refunded, said=charge.returned)


@stands_open
def exceeded(_scope: Scope) -> Iterator[Finding]:
    """More is gone than may be, where no refund says so of itself: given back by hand, elsewhere, or disputed."""
    for charge in charges_with_excess().order_by("pk").iterator():
        yield _finding(FindingKind.CHARGE_EXCEEDED, charge, gone=charge.gone, returnable=charge.returnable)


@stands_open
def not_taken(_scope: Scope) -> Iterator[Finding]:
    """What a provider said that could not be taken, until staff looked at it."""
    for notice in ProviderNotice.objects.filter(seen_at__isnull=True).order_by("pk").iterator():
        values = {"provider": notice.provider, "reference": notice.reference, "reason": notice.reason}
        yield Finding(FindingKind.PROVIDER_NOTICE, str(notice.pk), values)


@compares
def late(scope: Scope) -> Iterator[Finding]:
    """Time after an end that was billed all the same, until all that was paid of it is back."""
    back = RefundPart.objects.filter(
        Q(status=PartStatus.SUCCEEDED) | Q(refund__status=RefundStatus.SETTLED_MANUALLY), charge=OuterRef("pk")
    )
    returned = Coalesce(Subquery(back.values("charge").annotate(sum=Sum("amount")).values("sum")), 0)
    elsewhere = F("returned_elsewhere") + F("disputed")
    not_back = late_charges().annotate(back=returned + elsewhere).filter(back__lt=F("charged") - F("corrected"))
    recorded = Charge.objects.filter(**scope.window.of("recorded_at")).values_list("pk", flat=True)
    for keys in chunks(scope.chosen(FindingKind.LATE_CHARGE, recorded)):
        for charge in not_back.filter(pk__in=keys):
            left = charge.charged - charge.corrected - charge.back
            yield _finding(FindingKind.LATE_CHARGE, charge, left=left, paid=charge.paid)


@compares
def of_one_id(scope: Scope) -> Iterator[Finding]:
    """One id of a provider on two charges: a payment of it belongs to one of them, and nobody knows to which."""
    recorded = Charge.objects.filter(**scope.window.of("recorded_at")).values_list("external_id", flat=True)
    moved = scope.chosen(FindingKind.CHARGES_OF_ONE_ID, recorded)
    for name in billing_providers() if moved else ():
        for ids in chunks(moved):
            rows = charges_at(name).filter(external_id__in=ids).values("external_id")
            for row in rows.annotate(count=Count("pk"), first=Min("pk")).filter(count__gt=1).order_by("external_id"):
                values = {"count": row["count"], "provider": name}
                yield Finding(FindingKind.CHARGES_OF_ONE_ID, row["external_id"], values, page=str(row["first"]))


def _finding(kind: FindingKind, charge: Charge, **amounts: int) -> Finding:
    values = {name: str(charge.money(amount)) for name, amount in amounts.items()}
    return Finding(kind, str(charge.pk), values, name=charge.external_id)
