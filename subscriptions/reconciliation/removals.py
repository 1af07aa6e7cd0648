"""Removals that somebody else carries out: those that nobody decides, and those that were refused too late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count, Exists, F, Min, OuterRef, Subquery

from common.chunks import chunks
from subscriptions.carriers import carrier_of
from subscriptions.models import Cancellation, Removal, RemovalStatus
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from subscriptions.reconciliation.looking import Scope, compares, stands_open
from tenants.models import Removals, Tenant

_LATE = timedelta(hours=24)


@stands_open
def late_removals(scope: Scope) -> Iterator[Finding]:
    late = Removal.objects.filter(status=RemovalStatus.REQUESTED, requested_at__lt=scope.now - _LATE)
    of_each = late.order_by().values("request__subscription").annotate(count=Count("pk"), since=Min("requested_at"))
    for pk, count, since in of_each.values_list("request__subscription", "count", "since").iterator():
        yield Finding(
            FindingKind.REMOVALS_LATE, str(pk), {"count": count, "since": since.isoformat(timespec="seconds")}
        )


@stands_open
def without_carrier(_scope: Scope) -> Iterator[Finding]:
    waiting = Removal.objects.filter(status=RemovalStatus.REQUESTED).order_by().values("request__tenant")
    for tenant in Tenant.objects.filter(pk__in=waiting, removals=Removals.CONNECTION).order_by("pk").iterator():
        if carrier_of(tenant.pk) is None:
            yield Finding(FindingKind.NO_CARRIER, str(tenant.pk), name=tenant.name)


@compares
def refused_after_cancellation(scope: Scope) -> Iterator[Finding]:
    """Licenses that were to be gone by what was known when it was canceled, and are there: unless asked for anew."""
    asked_anew = Removal.objects.filter(license=OuterRef("license"), pk__gt=OuterRef("pk"))
    refused = Removal.objects.filter(
        ~Exists(asked_anew),
        status=RemovalStatus.REFUSED,
        license__is_direct=True,
        request__subscription=OuterRef("subscription"),
        requested_at__lte=OuterRef("requested_at"),
        decided_at__gte=OuterRef("requested_at"),
    )
    counted = refused.order_by().values("request__subscription").annotate(count=Count("pk")).values("count")
    moved = Removal.objects.filter(status=RemovalStatus.REFUSED, **scope.window.of("decided_at"))
    in_force = Cancellation.objects.filter(undone_at=None)
    canceled = in_force.filter(subscription__in=moved.values("request__subscription")).values_list("pk", flat=True)
    for keys in chunks(scope.chosen(FindingKind.REFUSED_AFTER, canceled)):
        found = in_force.filter(pk__in=keys).annotate(left=Subquery(counted)).exclude(left=None)
        for pk, reference, left in found.values_list("pk", "reference", F("left")):
            yield Finding(FindingKind.REFUSED_AFTER, str(pk), {"count": left}, name=reference)
