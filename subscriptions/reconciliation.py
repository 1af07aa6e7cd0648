"""Does everything about the money add up? Cancellations, refunds, charges, the outbox and the provider compared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from billing.models import (
    PROMISED_REFUND_STATUSES,
    STUCK_REFUND_STATUSES,
    Charge,
    LedgerEntry,
    PartStatus,
    Refund,
    RefundPart,
    RefundStatus,
)
from billing.providers import provider
from billing.providers.base import Outcome, ProviderUnavailable
from billing.services.refunds import SUBMIT, order_of
from outbox.models import Effect, EffectStatus
from subscriptions.models import Cancellation, License, Subscription

# Work that is due a little is not yet late.
_GRACE = timedelta(minutes=10)


def findings(now: datetime, *, ask_provider: bool = True) -> Iterator[str]:
    """One sentence for everything that does not add up."""
    yield from _charges()
    yield from _refunds(now)
    yield from _cancellations()
    yield from _outbox(now)
    yield from _tallies()
    if ask_provider:
        yield from _provider()


def _tallies() -> Iterator[str]:
    held = License.objects.held().filter(subscription=OuterRef("pk")).order_by().values("subscription")
    counted = Coalesce(Subquery(held.annotate(count=Count("pk")).values("count")), 0)
    kept = Coalesce("tally__assigned", 0)
    off = Subscription.objects.annotate(counted=counted, kept=kept).exclude(counted=F("kept"))
    for pk, said, held_now in off.values_list("pk", "kept", "counted").iterator():
        yield f"subscription {pk}: {said} licenses are kept as assigned, {held_now} are held"


def _charges() -> Iterator[str]:
    parts = RefundPart.objects.filter(charge=OuterRef("pk")).exclude(refund__status=RefundStatus.VOIDED)
    returned = Coalesce(Subquery(parts.values("charge").annotate(sum=Sum("amount")).values("sum")), 0)
    for charge in Charge.objects.annotate(returned=returned).exclude(refunded=F("returned")).iterator():
        yield f"charge {charge.external_id}: {charge.refunded} is reserved, its refunds say {charge.returned}"


def _refunds(now: datetime) -> Iterator[str]:
    of_parts = RefundPart.objects.filter(refund=OuterRef("pk")).values("refund").annotate(sum=Sum("amount"))
    refunds = Refund.objects.annotate(returned=Coalesce(Subquery(of_parts.values("sum")), 0))
    for refund in refunds.exclude(amount=F("returned")).iterator():
        yield f"refund {refund.pk}: it is {refund.amount}, its parts are {refund.returned}"
    unfinished = Exists(RefundPart.objects.filter(refund=OuterRef("pk")).exclude(status=PartStatus.SUCCEEDED))
    for pk in Refund.objects.filter(unfinished, status=RefundStatus.SUCCEEDED).values_list("pk", flat=True).iterator():
        yield f"refund {pk}: it is said to have succeeded, a part of it has not"
    for pk in Refund.objects.filter(status__in=STUCK_REFUND_STATUSES).values_list("pk", flat=True).iterator():
        yield f"refund {pk}: it failed and waits for staff"
    late = Refund.objects.filter(status__in=PROMISED_REFUND_STATUSES, due_by__lt=now.date())
    for pk, due_by in late.values_list("pk", "due_by").iterator():
        yield f"refund {pk}: it was due by {due_by}"


def _cancellations() -> Iterator[str]:
    open_refunds = Refund.objects.filter(cancellations=OuterRef("pk")).exclude(status=RefundStatus.VOIDED)
    for cancellation in Cancellation.objects.filter(Exists(open_refunds), undone_at__isnull=False).iterator():
        yield f"cancellation {cancellation.reference}: it was undone, its refund was not"
    first = Subquery(open_refunds.order_by("pk").values("amount")[:1])
    for cancellation in Cancellation.objects.filter(undone_at=None).annotate(promised=first).iterator():
        quoted = (cancellation.quote["refund"] or {}).get("minor_units")
        # A quote without a refund may still get one, when a payment settles late.
        if quoted is not None and cancellation.promised != quoted:
            yield f"cancellation {cancellation.reference}: {quoted} was promised, the refund is {cancellation.promised}"
    in_force = Cancellation.objects.filter(subscription=OuterRef("pk"), undone_at=None)
    mode = Subquery(in_force.values("mode")[:1])
    wrong = Subscription.objects.annotate(mode_in_force=mode).exclude(
        Q(canceled_mode=F("mode_in_force")) | Q(canceled_mode=None, mode_in_force=None)
    )
    for subscription in wrong.iterator():
        yield f"subscription {subscription.pk}: it says {subscription.canceled_mode}, its cancellation says otherwise"


def _outbox(now: datetime) -> Iterator[str]:
    for effect in Effect.objects.filter(status=EffectStatus.GIVEN_UP).iterator():
        yield f"effect {effect.key}: given up, {effect.last_failure}"
    for effect in Effect.objects.filter(status=EffectStatus.WAITING, run_at__lt=now - _GRACE, failures=0).iterator():
        yield f"effect {effect.key}: due since {effect.run_at.isoformat()}, does a worker run?"
    waiting = set(Effect.objects.filter(kind=SUBMIT).exclude(status=EffectStatus.DONE).values_list("key", flat=True))
    for pk in Refund.objects.filter(status__in=PROMISED_REFUND_STATUSES).values_list("pk", flat=True).iterator():
        if f"{SUBMIT}:{pk}" not in waiting:
            yield f"refund {pk}: nothing will send it"


def _provider() -> Iterator[str]:
    keys = set()
    parts = RefundPart.objects.select_related("refund__agreement", "charge")
    for part in parts.exclude(status=PartStatus.FAILED).iterator():
        keys.add(part.key)
        try:
            found = provider(part.refund.provider).find(order_of(part, part.refund.requested_at))
        except ProviderUnavailable as error:
            yield f"refund part {part.pk}: the provider does not answer, {error}"
            continue
        paid = found is not None and found.outcome is Outcome.SUCCEEDED
        if paid != (part.status == PartStatus.SUCCEEDED) and part.status != PartStatus.SENT:
            said = found.outcome if found else "nothing"
            yield f"refund part {part.pk}: we say {part.status}, the provider says {said}"
    for entry in LedgerEntry.objects.iterator():
        if entry.key not in keys:
            yield f"ledger entry {entry.pk}: no refund asked for it"
