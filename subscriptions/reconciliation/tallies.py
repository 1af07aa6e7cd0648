"""Licenses: how many are kept as assigned, against how many are held. What ended long ago decides nothing any more."""

from __future__ import annotations

from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from subscriptions.models import License, Subscription
from subscriptions.policy.status import DISABLED_FOR, EXPIRED_FOR
from subscriptions.reconciliation.finding import Finding
from subscriptions.reconciliation.kinds import FindingKind
from subscriptions.reconciliation.looking import CHECKS, Check, Reached, Scope, Yields

_PIECE = 1_000


def tallies(scope: Scope, position: str) -> Yields:
    """All that have not been deleted, whenever they changed: triggers write no time. A thousand at once."""
    held = License.objects.held().filter(subscription=OuterRef("pk")).order_by().values("subscription")
    counted = Coalesce(Subquery(held.annotate(count=Count("pk")).values("count")), 0)
    there = Q(ends_at=None) | Q(ends_at__gt=scope.now - EXPIRED_FOR - DISABLED_FOR)
    rows = Subscription.objects.filter(there).order_by("pk")
    while keys := list(rows.filter(pk__gt=position or 0).values_list("pk", flat=True)[:_PIECE]):
        off = Subscription.objects.filter(pk__in=keys).annotate(counted=counted, kept=Coalesce("tally__assigned", 0))
        for pk, kept, now_held in off.exclude(counted=F("kept")).values_list("pk", "kept", "counted"):
            yield Finding(FindingKind.TALLY_DIFFERS, str(pk), {"kept": kept, "held": now_held})
        position = str(keys[-1])
        yield Reached(position)


CHECKS.append(Check(tallies.__name__, tallies))
