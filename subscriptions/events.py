"""Tell partners what happened to a subscription: ids, states and amounts, no people.

Every event is about a subscription, so its version counts all of them: a late one cannot mislead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from billing.models import Refund
from billing.money import Money
from billing.providers import credit_form
from common.codes import CodeTable
from common.public_ids import Kind, public_id
from outbox.queue import enqueue
from outbox.registry import Lane, handles
from subscriptions.idempotency import one_transaction
from subscriptions.models import Cancellation, License, Removal, RemovalRequest, RemovalStatus, Subscription
from subscriptions.selectors.batches import refunds_of
from tenants.models import Tenant
from webhooks.events import publish
from webhooks.kinds import event_kinds

EFFECTIVE = "event.effective"


@event_kinds
class SubscriptionEvent(CodeTable):
    """What partners can be told of a subscription."""

    description: str

    CANCELLATION_REQUESTED = "cancellation.requested", "A subscription was canceled."
    CANCELLATION_UNDONE = "cancellation.undone", "A cancellation was taken back."
    CANCELLATION_EFFECTIVE = "cancellation.effective", "A cancellation has taken effect."
    REFUND_OWED = "refund.owed", "Money is to be paid by you, by the day it says: see markRefundPaid."
    REFUND_SETTLED = "refund.settled", "A refund is done: paid back, credited or paid."
    REFUND_FAILED = "refund.failed", "A provider refused to pay back."
    USERS_REMOVED = "users.removed", "Licenses were taken away."
    SYNC_CONFLICT = "sync.conflict", "The directory still assigns licenses that were removed here: they count again."
    LICENSE_REMOVAL_REQUESTED = (
        "license.removal_requested",
        "Licenses are to be taken away in the directory: by you, where the tenant's host carries that out.",
    )
    LICENSE_REMOVAL_SETTLED = (
        "license.removal_settled",
        "The directory has taken licenses away, or refused to.",
    )


EventData = Mapping[str, Any]
Item = TypeVar("Item")
# Removals that one event names: a call is for up to 10,000 users, and receivers take messages of some kilobytes.
_IN_ONE_EVENT = 500


def publish_cancellation(type: SubscriptionEvent, cancellation: Cancellation, now: datetime) -> None:
    """Tell of a cancellation, in the transaction of the change; a requested one is told of once more when it takes effect."""
    made_at = cancellation.requested_at.isoformat()
    publish_event(
        type, f"{cancellation.pk}:{made_at}", cancellation.subscription, now, lambda: _cancellation(cancellation)
    )
    if type is SubscriptionEvent.CANCELLATION_REQUESTED:
        enqueue(
            kind=EFFECTIVE,
            key=f"{EFFECTIVE}:{cancellation.pk}:{made_at}",
            payload={"cancellation": cancellation.pk, "requested_at": made_at},
            run_at=max(cancellation.effective_at, now),
            now=now,
        )


@handles(EFFECTIVE, Lane.WEBHOOKS)
def publish_effective(payload: dict[str, Any], now: datetime) -> None:
    """The day has come: tell, unless the cancellation was undone or replaced."""
    requested_at = datetime.fromisoformat(payload["requested_at"])
    with one_transaction():
        in_force = Cancellation.objects.filter(
            pk=payload["cancellation"], requested_at=requested_at, undone_at=None, effective_at__lte=now
        )
        if cancellation := in_force.select_related("subscription").first():
            Subscription.objects.select_for_update().get(pk=cancellation.subscription_id)
            publish_cancellation(SubscriptionEvent.CANCELLATION_EFFECTIVE, cancellation, now)


def publish_refund(type: SubscriptionEvent, refund: Refund, occasion: str, now: datetime) -> None:
    """Tell what became of money on its way; once per ``occasion``."""
    with one_transaction():
        subscription = Subscription.objects.select_for_update().filter(agreement=refund.agreement_id).first()
        if subscription is None:
            return
        cancellation = refund.cancellations.order_by("pk").first()
        about = _named(cancellation) if cancellation else None
        publish_event(type, occasion, subscription, now, lambda: {"refund": _refund(refund), "cancellation": about})


def publish_users_removed(subscription: Subscription, removed: int, position: int, now: datetime) -> None:
    """Tell how many users lost their license; ``position``: where the audit trail says it."""
    key = f"{subscription.tenant_id}:{position}"
    publish_event(SubscriptionEvent.USERS_REMOVED, key, subscription, now, lambda: {"removedUsers": removed})


def publish_contradicted(
    subscription: Subscription, count: int, users: Sequence[tuple[int, str]], position: int, now: datetime
) -> None:
    """Tell of licenses that count again; ``users``: the first of them, by their ids here and at the host."""
    publish_event(
        SubscriptionEvent.SYNC_CONFLICT,
        f"{subscription.tenant_id}:{position}",
        subscription,
        now,
        lambda: {
            "assignedAgain": count,
            "users": [{"id": public_id(Kind.USER, pk), "externalId": own or None} for pk, own in users],
        },
    )


def publish_removals_requested(request: RemovalRequest, licenses: Sequence[int], now: datetime) -> None:
    """Tell which licenses are to be taken away, some hundreds at once: ids alone."""
    about = {"removalRequest": {"id": public_id(Kind.REMOVAL_REQUEST, request.pk)}}
    for number, piece in enumerate(_pieces(licenses)):

        def describe(piece: Sequence[int] = piece) -> EventData:
            users = _users_of(piece)
            removals = [{"user": users[pk], "status": RemovalStatus.REQUESTED} for pk in piece]
            return {**about, "removals": removals}

        kind = SubscriptionEvent.LICENSE_REMOVAL_REQUESTED
        publish_event(kind, f"{request.pk}:{number}", request.subscription, now, describe)


def publish_removals_decided(subscription: Subscription, rows: Sequence[Removal], position: int, now: datetime) -> None:
    """Tell what became of removals, some hundreds at once; ``position``: where the audit trail says it."""
    for number, piece in enumerate(_pieces(rows)):

        def describe(piece: Sequence[Removal] = piece) -> EventData:
            users = _users_of([row.license_id for row in piece])
            removals = [
                {
                    "user": users[row.license_id],
                    "status": row.status,
                    "reason": row.reason or None,
                    "removalRequest": {"id": public_id(Kind.REMOVAL_REQUEST, row.request_id)},
                }
                for row in piece
            ]
            return {"removals": removals}

        occasion = f"{subscription.tenant_id}:{position}:{number}"
        publish_event(SubscriptionEvent.LICENSE_REMOVAL_SETTLED, occasion, subscription, now, describe)


def publish_event(
    type: CodeTable, occasion: str, subscription: Subscription, now: datetime, describe: Callable[[], EventData]
) -> None:
    """Publish one event about a subscription; once per ``occasion``."""
    subject = public_id(Kind.SUBSCRIPTION, subscription.pk)
    publish(
        type=type,
        key=f"{type}:{occasion}",
        tenant_id=subscription.tenant_id,
        subject=subject,
        describe=lambda: {**_subject(subscription), **describe()},
        now=now,
    )


def _subject(subscription: Subscription) -> EventData:
    """Whom and what it is about, in the host's ids too where there are such. One query where the tenant was not read."""
    return {
        "tenant": _ids(Kind.TENANT, subscription.tenant),
        "subscription": _ids(Kind.SUBSCRIPTION, subscription),
    }


def _ids(kind: Kind, row: Tenant | Subscription) -> EventData:
    named = {"externalId": row.external_id} if row.external_id else {}
    return {"id": public_id(kind, row.pk), **named}


def _users_of(licenses: Sequence[int]) -> Mapping[int, EventData]:
    """Who holds each license, by ids. One query."""
    rows = License.objects.filter(pk__in=licenses).values_list("pk", "user", "user__external_id")
    return {pk: {"id": public_id(Kind.USER, user), "externalId": external_id or None} for pk, user, external_id in rows}


def _pieces(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[start : start + _IN_ONE_EVENT] for start in range(0, len(items), _IN_ONE_EVENT))


def _cancellation(cancellation: Cancellation) -> EventData:
    return {
        "cancellation": {
            **_named(cancellation),
            "mode": cancellation.mode,
            "requestedAt": cancellation.requested_at,
            "effectiveAt": cancellation.effective_at,
            "undoUntil": cancellation.undo_until,
            "undoneAt": cancellation.undone_at,
            "refunds": [_refund(refund) for refund in refunds_of([cancellation]).get(cancellation.pk, ())],
        }
    }


def _named(cancellation: Cancellation) -> EventData:
    return {"id": public_id(Kind.CANCELLATION, cancellation.pk), "reference": cancellation.reference}


def _refund(refund: Refund) -> EventData:
    return {
        "id": public_id(Kind.REFUND, refund.pk),
        "amount": _money(refund.money),
        "status": refund.status,
        "creditForm": credit_form(refund.provider),
        "dueBy": refund.due_by,
        "settledAt": refund.returned_at,
    }


def _money(money: Money) -> EventData:
    return {"amount": f"{money.amount:f}", "currency": money.currency}
