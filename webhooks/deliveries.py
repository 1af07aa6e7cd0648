"""Tell a receiver what happened, signed by the Standard Webhooks specification, until it heard."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from standardwebhooks import Webhook

from common.chunks import chunks
from common.keys import Unreadable
from outbox.queue import enqueue, enqueue_anew
from outbox.registry import Lane, handles
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller, CallerKind, Scope, with_included
from tenants.models import PartnerToken
from tenants.people import SYSTEM
from tenants.tokens import live_tokens, trails_of
from webhooks.backoff import DISABLE_AFTER, LONGEST_ASKED_FOR, wait_of_delivery, wait_of_receiver
from webhooks.models import Delivery, DeliveryStatus, Endpoint, Event
from webhooks.sending import EndpointResponse, post
from webhooks.signing import secrets_of

DELIVER = "webhook.deliver"
DISABLED = "webhook.disabled"
_GONE = 410
_NOBODY = "NO_TOKEN"
KEY_NOT_NAMED = "KEY_NOT_NAMED"


def message_of(event: Event) -> str:
    """The body of an event, the same at every attempt."""
    return _compact({
        "type": event.type,
        "timestamp": event.at.astimezone(UTC).isoformat(),
        "version": event.version,
        "data": event.data,
    })  # fmt: skip


def send(endpoint: Endpoint, message_id: str, body: str, now: datetime, seconds: float) -> EndpointResponse:
    """Send one signed message; while a secret is being rotated, signed with the old one, too.

    Nothing is sent that cannot be signed: it waits as for a receiver that is down, until the key is named again.
    """
    at = now.astimezone(UTC)
    try:
        signatures = [Webhook(secret).sign(message_id, at, body) for secret in secrets_of(endpoint, now)]
    except Unreadable:
        return EndpointResponse(None, KEY_NOT_NAMED)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Wayout",
        "Webhook-Id": message_id,
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": " ".join(signatures),
    }
    return post(endpoint.url, body.encode(), headers, seconds=seconds, private=settings.WAYOUT_WEBHOOK_PRIVATE)


def partners_allowed(tenant_id: int, partners: Iterable[str] | QuerySet[Any, Any], now: datetime) -> set[str]:
    """Which of the partners may hear of a tenant now: they have a live token with WEBHOOKS for it, or for all."""
    named = PartnerToken.tenants.through.objects.filter(partnertoken=OuterRef("pk"), tenant=tenant_id)
    sees = Q(of_installation=True) | Exists(named)
    tokens = live_tokens(now).filter(sees, partner__in=partners).values_list("partner", "scopes")
    return {partner for partner, scopes in tokens if Scope.WEBHOOKS in with_included(frozenset(map(Scope, scopes)))}


def enqueue_deliveries(deliveries: Iterable[Delivery], now: datetime) -> None:
    """Have new deliveries made, in their order."""
    for delivery in deliveries:
        enqueue(kind=DELIVER, key=_key(delivery.pk), payload={"delivery": delivery.pk}, run_at=now, now=now)


def requeue_deliveries(delivery_ids: Collection[int], now: datetime) -> int:
    """Have these made again, the oldest first, whatever became of them before; how many."""
    ids = sorted(delivery_ids)
    for some in chunks(ids):
        Delivery.objects.filter(pk__in=some).update(status=DeliveryStatus.WAITING, attempts=0, problem="")
        enqueue_anew(kind=DELIVER, payloads={_key(pk): {"delivery": pk} for pk in some}, now=now)
    return len(ids)


@handles(DELIVER, Lane.WEBHOOKS)
def deliver(payload: dict[str, int], now: datetime) -> datetime | None:
    """Make one delivery, or answer when to try again.

    A receiver that is down is asked by one delivery at a time: by the one that was tried longest ago, so that two
    messages that it cannot take do not keep all others from it.
    """
    own = Delivery.objects.select_related("endpoint", "event").filter(pk=payload["delivery"]).first()
    if own is None or own.status != DeliveryStatus.WAITING or own.endpoint.disabled_at or not _may_go(own, now):
        return None  # what waits for a disabled endpoint is asked for again with it
    endpoint, tried = own.endpoint, own
    if endpoint.retry_at:
        if endpoint.retry_at > now or not _take_probe(endpoint, now):
            return max(endpoint.retry_at, now + timedelta(seconds=1))
        tried = _longest_untried(endpoint, now) or own
    event = tried.event
    answer = send(endpoint, event.message_id, message_of(event), now, settings.WAYOUT_WEBHOOK_TIMEOUT)
    next_at = _note_arrival(tried, now) if answer.arrived else _note_failure(tried, endpoint, answer, now)
    if tried.pk == own.pk:
        return next_at
    endpoint.refresh_from_db()
    return endpoint.retry_at or now


def _may_go(delivery: Delivery, now: datetime) -> bool:
    """Whether the partner may still hear of it; if not, it is given up."""
    if partners_allowed(delivery.event.tenant_id, [delivery.endpoint.partner], now):
        return True
    _waiting(delivery).update(status=DeliveryStatus.FAILED, problem=_NOBODY)
    return False


def _take_probe(endpoint: Endpoint, now: datetime) -> bool:
    """Of several workers one asks; the others come back when it must have an answer."""
    until = now + timedelta(seconds=settings.WAYOUT_WEBHOOK_TIMEOUT + 5)
    return bool(Endpoint.objects.filter(pk=endpoint.pk, retry_at=endpoint.retry_at).update(retry_at=until))


def _longest_untried(endpoint: Endpoint, now: datetime) -> Delivery | None:
    waiting = endpoint.deliveries.filter(status=DeliveryStatus.WAITING).select_related("endpoint", "event")
    in_turn = waiting.order_by(F("tried_at").asc(nulls_first=True), "pk")
    return next((delivery for delivery in in_turn[:100] if _may_go(delivery, now)), None)


def _note_arrival(delivery: Delivery, now: datetime) -> datetime | None:
    """Write it down; there is nothing more to do."""
    with transaction.atomic():
        _waiting(delivery).update(
            status=DeliveryStatus.DELIVERED, attempts=F("attempts") + 1, problem="", tried_at=now, delivered_at=now
        )
        Endpoint.objects.filter(pk=delivery.endpoint_id).update(
            failures=0, failing_since=None, retry_at=None, last_problem="", delivered_at=now
        )
    return None


def _note_failure(delivery: Delivery, endpoint: Endpoint, answer: EndpointResponse, now: datetime) -> datetime | None:
    """Write it down; when to try again, None when it is over for this delivery or for the whole endpoint."""
    problem, down = answer.problem[:100], answer.receiver_is_down
    since = endpoint.failing_since or now
    failures = endpoint.failures + 1
    asked_for = min(answer.after, LONGEST_ASKED_FOR)
    after = max(wait_of_receiver(failures), asked_for)
    with transaction.atomic():
        Endpoint.objects.filter(pk=endpoint.pk).update(
            failing_since=since, failures=failures, last_problem=problem, retry_at=now + after if down else None
        )
        _waiting(delivery).update(problem=problem, tried_at=now)
        if answer.status == _GONE or now - since >= DISABLE_AFTER:
            _disable(endpoint, problem, now)
            return None
        if down and endpoint.retry_at:
            return now + after  # the receiver's fault, not this delivery's
        wait = wait_of_delivery(delivery.attempts + 1)
        status = DeliveryStatus.WAITING if wait else DeliveryStatus.FAILED
        _waiting(delivery).update(status=status, attempts=F("attempts") + 1)
        return now + max(wait, after if down else asked_for) if wait else None


def _disable(endpoint: Endpoint, problem: str, now: datetime) -> None:
    """Stop, tell who should know, and keep what waits. Once."""
    if not Endpoint.objects.filter(pk=endpoint.pk, disabled_at=None).update(disabled_at=now, retry_at=None):
        return
    key = f"{DISABLED}:{endpoint.pk}:{now.isoformat()}"
    enqueue(kind=DISABLED, key=key, payload={"endpoint": endpoint.pk}, run_at=now, now=now, at_most_once=True)
    audit(Action.WEBHOOK_DISABLED, endpoint, SYSTEM, now, problem=problem)


def audit(
    action: Action,
    endpoint: Endpoint,
    caller: Caller,
    now: datetime,
    personal: Mapping[str, object] | None = None,
    tenant_id: int | None = None,
    **data: object,
) -> None:
    """Put it on the trails of the tenants that the endpoint hears of; on the installation's where it hears of none, or of all.

    ``tenant_id``: it is about this one's events only.
    """
    token = live_tokens(now).filter(partner=endpoint.partner).order_by("-pk").first()
    for trail in (tenant_id,) if tenant_id else (trails_of(token) if token else ()) or (None,):
        record(
            tenant_id=trail,
            at=now,
            action=action,
            subject=f"Webhook:{endpoint.pk}",
            caller=caller,
            language=endpoint.language,
            data={"url": hashlib.sha256(endpoint.url.encode()).hexdigest()[:16], "events": endpoint.events, **data},
            personal={
                "url": endpoint.url,
                **({} if caller.kind is CallerKind.SYSTEM else {"name": caller.name}),
                **(personal or {}),
            },
        )


def _waiting(delivery: Delivery) -> Any:
    return Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.WAITING)


def _key(delivery_id: int) -> str:
    return f"{DELIVER}:{delivery_id}"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
