"""Does everything about the money add up? Cancellations, refunds, charges, the outbox and the provider compared."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from operator import methodcaller
from typing import TypeVar

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from billing.models import (
    PROMISED_REFUND_STATUSES,
    STUCK_REFUND_STATUSES,
    Agreement,
    Charge,
    LedgerEntry,
    PartStatus,
    ProviderNotice,
    Refund,
    RefundPart,
    RefundStatus,
)
from billing.providers import billing_providers, provider
from billing.providers.base import Provider, ProviderRefused, ProviderUnavailable, RefundOutcome
from billing.refunds.results import order_of
from billing.refunds.sending import SUBMIT
from billing.renewal import CONFIRM_STOP, wanted_of
from billing.renewal_stop import RenewalStop
from billing.selectors import charges_at, charges_with_excess, late_charges, stops_without_id
from outbox.models import Task, TaskStatus
from subscriptions.models import Cancellation, License, Subscription

logger = logging.getLogger("wayout.subscriptions")
T = TypeVar("T")
# Work that is due a little is not yet late.
_GRACE = timedelta(minutes=10)


def findings(now: datetime, *, ask_provider: bool = True) -> Iterator[str]:
    """One sentence for everything that does not add up."""
    yield from _charges()
    yield from _excess()
    yield from _notices()
    yield from _late_charges()
    yield from _twice()
    yield from _refunds(now)
    yield from _renewal_stops(now, ask_provider=ask_provider)
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


def _excess() -> Iterator[str]:
    """More is gone than may be, where no refund says so of itself: given back by hand, elsewhere, or disputed."""
    for charge in charges_with_excess().select_related("agreement").iterator():
        gone, returnable = charge.money(charge.gone), charge.money(charge.returnable)
        yield f"charge {charge}: {gone} is gone or goes back, {returnable} of it may"


def _notices() -> Iterator[str]:
    """What a provider said that could not be taken, until staff looked at it."""
    for notice in ProviderNotice.objects.filter(seen_at=None).iterator():
        yield f"{notice.provider} says something of {notice.reference}: {notice.get_reason_display()}"


def _late_charges() -> Iterator[str]:
    """Time after an end that was billed all the same, until all that was paid of it is back."""
    back = RefundPart.objects.filter(
        Q(status=PartStatus.SUCCEEDED) | Q(refund__status=RefundStatus.SETTLED_MANUALLY), charge=OuterRef("pk")
    )
    returned = Coalesce(Subquery(back.values("charge").annotate(sum=Sum("amount")).values("sum")), 0)
    late = late_charges().annotate(returned=returned).filter(returned__lt=F("charged") - F("corrected"))
    for charge in late.select_related("agreement").iterator():
        left = charge.money(charge.charged - charge.corrected - charge.returned)
        paid = charge.money(charge.paid)
        yield f"charge {charge}: it bills time after a cancellation, {left} is not back yet, {paid} was paid"


def _twice() -> Iterator[str]:
    """One id of a provider on two charges: a payment of it belongs to one of them, and nobody knows to which."""
    for name in billing_providers():
        ids = charges_at(name).values("external_id").annotate(count=Count("pk")).filter(count__gt=1)
        for external_id, count in ids.order_by("external_id").values_list("external_id", "count").iterator():
            yield f"charge {external_id}: {count} charges of {name} go by that id, so payments of it are not taken"


def _renewal_stops(now: datetime, *, ask_provider: bool) -> Iterator[str]:
    """What was decided, what the provider was told, and what it says itself."""
    for agreement in stops_without_id().iterator():
        yield f"agreement {agreement.pk}: it was canceled, and nobody could be told: write down its id at the provider"
    for agreement in Agreement.objects.exclude(Q(external_id="") | Q(ends_for_good_at=None)).iterator():
        wanted = wanted_of(agreement, now).now
        if agreement.confirmed_stop != wanted and not _will_be_confirmed(agreement.pk, now):
            yield f"agreement {agreement.pk}: {agreement.provider} was told {agreement.confirmed_stop or 'nothing certain'}, it should be {wanted}"
        if agreement.confirmed_stop != wanted or not ask_provider:
            continue
        said, silence = _asked(agreement.provider, methodcaller("renewal_stop", agreement.external_id))
        if silence:
            yield f"agreement {agreement.pk}: {silence}"
        # A period that ran out has stopped.
        elif said != wanted and (wanted, said) != (RenewalStop.AT_PERIOD_END, RenewalStop.NOW):
            yield f"agreement {agreement.pk}: {agreement.provider} was told {wanted} and says {said}"


def _asked(name: str, ask: Callable[[Provider], T]) -> tuple[T | None, str]:
    """What a provider answers, or why it does not. Its code may be anybody's, and one that fails hides no other."""
    try:
        return ask(provider(name)), ""
    except ProviderUnavailable as error:
        return None, f"the provider does not answer, {error}"
    except ProviderRefused as error:
        return None, f"the provider does not know it, {error}"
    except Exception as error:
        logger.exception("a provider failed")
        return None, f"the provider fails with {type(error).__name__}"


def _will_be_confirmed(agreement_id: int, now: datetime) -> bool:
    """Not while the provider is down: what waits for hours is worth a line."""
    due = Task.objects.filter(key=f"{CONFIRM_STOP}:{agreement_id}", status=TaskStatus.WAITING, run_at__gt=now - _GRACE)
    return due.filter(failures=0, outages=0).exists()


def _refunds(now: datetime) -> Iterator[str]:
    of_parts = RefundPart.objects.filter(refund=OuterRef("pk")).values("refund").annotate(sum=Sum("promised"))
    refunds = Refund.objects.annotate(returned=Coalesce(Subquery(of_parts.values("sum")), 0))
    for refund in refunds.exclude(amount=F("returned")).iterator():
        yield f"refund {refund.pk}: it is {refund.amount}, its parts are {refund.returned}"
    unfinished = Exists(RefundPart.objects.filter(refund=OuterRef("pk")).exclude(status=PartStatus.SUCCEEDED))
    for pk in Refund.objects.filter(unfinished, status=RefundStatus.SUCCEEDED).values_list("pk", flat=True).iterator():
        yield f"refund {pk}: it is said to have succeeded, a part of it has not"
    for pk in Refund.objects.filter(status__in=STUCK_REFUND_STATUSES).values_list("pk", flat=True).iterator():
        yield f"refund {pk}: it failed and waits for staff"
    over = RefundPart.objects.exclude(amount_by_rule=None).select_related("charge", "refund__agreement")
    for part in over.iterator():
        sent, due = part.charge.money(part.amount), part.charge.money(part.amount_by_rule or 0)
        yield f"refund {part.refund_id}: {sent} of charge {part.charge} goes back, by the facts since {due} is due"
    late = Refund.objects.filter(status__in=PROMISED_REFUND_STATUSES, due_by__lt=now.date())
    for pk, due_by in late.values_list("pk", "due_by").iterator():
        yield f"refund {pk}: it was due by {due_by}"


def _cancellations() -> Iterator[str]:
    open_refunds = Refund.objects.filter(cancellations=OuterRef("pk")).exclude(status=RefundStatus.VOIDED)
    for cancellation in Cancellation.objects.filter(Exists(open_refunds), undone_at__isnull=False).iterator():
        yield f"cancellation {cancellation.reference}: it was undone, its refund was not"
    first = Subquery(open_refunds.order_by("pk").values("amount")[:1])
    repriced = Refund.objects.filter(cancellations=OuterRef("pk"), repriced_at__isnull=False)
    as_quoted = Cancellation.objects.filter(~Exists(repriced), undone_at=None)
    for cancellation in as_quoted.annotate(promised=first).iterator():
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
    for task in Task.objects.filter(status__in=[TaskStatus.GIVEN_UP, TaskStatus.STUCK]).iterator():
        yield f"task {task.key}: {task.get_status_display()}, {task.last_failure}"
    for task in Task.objects.filter(status=TaskStatus.WAITING, run_at__lt=now - _GRACE, failures=0).iterator():
        yield f"task {task.key}: due since {task.run_at.isoformat()}, does a worker run?"
    waiting = set(Task.objects.filter(kind=SUBMIT).exclude(status=TaskStatus.DONE).values_list("key", flat=True))
    for pk in Refund.objects.filter(status__in=PROMISED_REFUND_STATUSES).values_list("pk", flat=True).iterator():
        if f"{SUBMIT}:{pk}" not in waiting:
            yield f"refund {pk}: nothing will send it"


def _provider() -> Iterator[str]:
    keys = set()
    parts = RefundPart.objects.select_related("refund__agreement", "charge")
    for part in parts.exclude(status=PartStatus.FAILED).iterator():
        keys.add(part.key)
        found, silence = _asked(part.refund.provider, methodcaller("find", order_of(part, part.refund.requested_at)))
        if silence:
            yield f"refund part {part.pk}: {silence}"
            continue
        paid = found is not None and found.outcome is RefundOutcome.SUCCEEDED
        if paid != (part.status == PartStatus.SUCCEEDED) and part.status != PartStatus.SENT:
            said = found.outcome if found else "nothing"
            yield f"refund part {part.pk}: we say {part.status}, the provider says {said}"
    for entry in LedgerEntry.objects.iterator():
        if entry.key not in keys:
            yield f"ledger entry {entry.pk}: no refund asked for it"
