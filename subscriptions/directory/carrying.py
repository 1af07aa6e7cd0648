"""Have a connection carry removals out: asked for in the transaction of the request, and looked for before asked again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Min, Q, QuerySet

from common.chunks import chunks
from common.languages import DEFAULT_LANGUAGE
from outbox.each import each_by_itself
from outbox.models import Task, TaskStatus
from outbox.queue import enqueue, requeue
from outbox.registry import Lane, RetryLater, handles
from subscriptions.carriers import carrier_of
from subscriptions.carriers.base import Carried, LicenseRemoval
from subscriptions.directory.settling import decide_removals
from subscriptions.idempotency import one_transaction
from subscriptions.models import Removal, RemovalRequest, RemovalStatus, Subscription
from tenants.models import Removals
from tenants.people import SYSTEM

CARRY = "removals.carry"
_PIECE = 100
_LOOK_AGAIN = timedelta(minutes=10)


@handles(CARRY, Lane.SYNC)
def carry_removals(payload: dict[str, int], now: datetime) -> datetime | None:
    """A hundred removals of a request; when to go on with the others, or to look again for those on their way.

    Each is marked as asked for before the directory is. One that is found marked may have arrived: it is looked for
    first. Without a connection that serves the tenant it waits, for as long as that takes.
    """
    request = RemovalRequest.objects.select_related("tenant", "subscription__plan").get(pk=payload["request"])
    if request.tenant.removals != Removals.CONNECTION:
        return None
    if rows := list(_due(request, now)[:_PIECE]):
        _carry(request, rows, now)
    if _due(request, now).exists():
        return now
    next_look: datetime | None = _open(request).aggregate(at=Min("look_at"))["at"]
    return next_look


def _carry(request: RemovalRequest, rows: Sequence[Removal], now: datetime) -> None:
    carrier, tenant_id = carrier_of(request.tenant_id), request.tenant_id
    if carrier is None:
        raise RetryLater("no connection carries removals of this tenant out", outage=True)
    given = {row.pk: _for_carrier(row, request.subscription) for row in rows}
    maybe_there = [given[row.pk] for row in rows if row.asked_at]
    with transaction.atomic(durable=True):
        _open(request).filter(pk__in=given).update(asked_at=now)
    found = carrier.look(tenant_id, maybe_there) if maybe_there else {}
    _take(request, given, found, now)
    if to_ask := [one for one in given.values() if one.id not in found]:
        _take(request, given, carrier.carry(tenant_id, to_ask), now)
    # Where nothing could be said this is not reached: the outbox tries again when it will.
    _open(request).filter(pk__in=given).update(look_at=now + _LOOK_AGAIN)


def ask_to_carry(request: RemovalRequest, now: datetime) -> None:
    """Have it carried out, in the caller's transaction. Asked for before, it stays as it was."""
    enqueue(kind=CARRY, key=_key(request), payload={"request": request.pk}, run_at=now, now=now)


def carry_stranded(now: datetime) -> int:
    """Ask again for what a connection has to carry out and no task will: one was lost, or the tenant has one only now."""
    still_open = Removal.objects.filter(status=RemovalStatus.REQUESTED, request__tenant__removals=Removals.CONNECTION)
    requests = RemovalRequest.objects.filter(pk__in=still_open.values("request")).order_by("pk")

    def carry_on(request: RemovalRequest) -> bool:
        ask_to_carry(request, now)
        return requeue(key=_key(request), now=now, only_done=True)

    return each_by_itself(_without_task(requests), carry_on, work="carry_stranded_removals", now=now)


def _without_task(requests: Iterable[RemovalRequest]) -> Iterator[RemovalRequest]:
    for piece in chunks(requests):
        tasks = Task.objects.filter(key__in=[_key(request) for request in piece], status=TaskStatus.WAITING)
        waiting = set(tasks.values_list("key", flat=True))
        yield from (request for request in piece if _key(request) not in waiting)


def _open(request: RemovalRequest) -> QuerySet[Removal]:
    return Removal.objects.filter(request=request, status=RemovalStatus.REQUESTED)


def _due(request: RemovalRequest, now: datetime) -> QuerySet[Removal]:
    due = _open(request).filter(Q(look_at=None) | Q(look_at__lte=now)).select_related("license__user")
    return due.order_by(F("look_at").asc(nulls_first=True), "pk")


def _for_carrier(row: Removal, subscription: Subscription) -> LicenseRemoval:
    user = row.license.user
    return LicenseRemoval(
        id=row.pk,
        user_id=user.external_id,
        user_name=user.principal_name,
        subscription_id=subscription.external_id,
        part_number=subscription.plan.part_number,
    )


def _take(request: RemovalRequest, given: Collection[int], carried: Mapping[int, Carried], now: datetime) -> None:
    """Keep what a carrier answered of those it was given. What has been decided meanwhile stays."""
    with one_transaction():
        subscription = Subscription.objects.select_for_update(no_key=True).get(pk=request.subscription_id)
        answered = {pk: one for pk, one in carried.items() if pk in given}
        decide_removals(subscription, answered, caller=SYSTEM, language=DEFAULT_LANGUAGE, now=now)


def _key(request: RemovalRequest) -> str:
    return f"{CARRY}:{request.pk}"
