"""A partner's endpoints: register, rotate the secret, test, go on after a pause, remove."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from operator import itemgetter
from threading import get_ident

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from common.errors import RateLimited
from tenants.actions import Action
from tenants.callers import Caller
from webhooks.deliveries import audit, requeue_deliveries, send
from webhooks.errors import TooManyEndpoints
from webhooks.models import Delivery, DeliveryStatus, Endpoint
from webhooks.sending import EndpointResponse, check_url
from webhooks.signing import kept, new_secret

MAX_ENDPOINTS = 10
OVERLAP = timedelta(hours=24)
STILL_WAITING = "STILL_WAITING"
# How long a test may take, and how long whoever asked for it waits.
_TEST_SECONDS, _TIMEOUT = 5.0, 1.0
_TESTS, _MAX_WAITING = ThreadPoolExecutor(4, "webhook-test"), 40
logger = logging.getLogger("wayout.webhooks")


def with_waiting(rows: QuerySet[Endpoint]) -> QuerySet[Endpoint]:
    """The same, with ``waiting_count``: how many events did not arrive."""
    return rows.annotate(waiting_count=Count("deliveries", filter=~Q(deliveries__status=DeliveryStatus.DELIVERED)))


def register(
    *,
    partner: str,
    url: str,
    events: Sequence[str],
    contact_email: str,
    language: str,
    caller: Caller,
    now: datetime,
) -> tuple[Endpoint, str | None]:
    """Make an endpoint; returns it with its secret. One with this address already is changed, without a secret.

    No ``events``: all of them. Raises AddressRefused, TooManyEndpoints.
    """
    check_url(url, private=settings.WAYOUT_WEBHOOK_PRIVATE)
    values = {"events": sorted({str(event) for event in events}), "contact_email": contact_email, "language": language}
    with transaction.atomic():
        known = Endpoint.objects.select_for_update().filter(partner=partner)
        if endpoint := known.filter(url=url).first():
            changes = {name: (old, new) for name, new in values.items() if (old := getattr(endpoint, name)) != new}
            known.filter(pk=endpoint.pk).update(**values)
            endpoint.refresh_from_db()
            address = {name: changes.pop(name) for name in ("contact_email",) if name in changes}
            personal = {"changes": address} if address else None
            audit(Action.WEBHOOK_CHANGED, endpoint, caller, now, personal, changes=changes)
            return endpoint, None
        if len(known) >= MAX_ENDPOINTS:
            raise TooManyEndpoints("url", count=MAX_ENDPOINTS)
        salt, secret, encrypted = new_secret()
        endpoint = Endpoint.objects.create(
            partner=partner, url=url, salt=salt, secrets={salt: encrypted}, created_at=now, **values
        )
        audit(Action.WEBHOOK_REGISTERED, endpoint, caller, now)
        return endpoint, secret


def rotate_secret(*, endpoint: Endpoint, caller: Caller, now: datetime) -> str:
    """A new secret; for a day messages are signed with the old one as well."""
    with transaction.atomic():
        current = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        salt, secret, encrypted = new_secret()
        endpoint.previous_salt, endpoint.salt = current.salt, salt
        endpoint.secrets = {current.salt: kept(current, current.salt), salt: encrypted}
        endpoint.previous_until = now + OVERLAP
        endpoint.save(update_fields=["salt", "previous_salt", "secrets", "previous_until"])
        audit(Action.WEBHOOK_ROTATED, endpoint, caller, now)
        return secret


def test(*, endpoint: Endpoint, caller: Caller, now: datetime) -> EndpointResponse:
    """Send ``webhook.test`` now, also to one that is disabled. Call it outside a transaction.

    Waits a second at the most, since whoever asks holds a turn meanwhile: then the answer is STILL_WAITING, and what
    comes of it follows on the endpoint. It is on the audit trail, with what came back. Raises RateLimited while too many
    tests wait already.
    """
    if _TESTS._work_queue.qsize() >= _MAX_WAITING:
        raise RateLimited("webhookId", retry_after=_TEST_SECONDS)
    body = {"type": "webhook.test", "timestamp": now.astimezone(UTC).isoformat(), "data": {}}
    seconds = min(_TEST_SECONDS, settings.WAYOUT_WEBHOOK_TIMEOUT)
    sent = _TESTS.submit(send, endpoint, f"evt_{uuid.uuid4().hex}", json.dumps(body), now, seconds)
    try:
        answer = sent.result(_TIMEOUT)
    except TimeoutError:
        sent.add_done_callback(partial(_follow, endpoint, caller, now, get_ident()))
        return EndpointResponse(None, STILL_WAITING)
    _audit_test(endpoint, caller, now, answer)
    return answer


def _follow(endpoint: Endpoint, caller: Caller, now: datetime, asked_on: int, sent: Future[EndpointResponse]) -> None:
    """Keep what came of a test that nobody waits for any more: on a thread of the tests, or at once if it is there now."""
    try:
        answer = sent.result()
        kept = {"delivered_at": timezone.now()} if answer.arrived else {"last_problem": answer.problem}
        Endpoint.objects.filter(pk=endpoint.pk).update(**kept)
        _audit_test(endpoint, caller, now, answer)
    except Exception:
        logger.exception("what came of a test of endpoint %s was not kept", endpoint.pk)
    finally:
        if get_ident() != asked_on:
            connection.close()


def _audit_test(endpoint: Endpoint, caller: Caller, now: datetime, answer: EndpointResponse) -> None:
    with transaction.atomic():
        audit(Action.WEBHOOK_TESTED, endpoint, caller, now, status=answer.status, problem=answer.problem)


def resume(*, endpoint: Endpoint, since: datetime | None, caller: Caller, now: datetime) -> int:
    """Go on after a pause: what did not arrive is sent, and what did since ``since`` once more; how many."""
    with transaction.atomic():
        Endpoint.objects.filter(pk=endpoint.pk).update(
            disabled_at=None, failing_since=None, failures=0, retry_at=None, last_problem=""
        )
        endpoint.refresh_from_db()
        audit(Action.WEBHOOK_RESUMED, endpoint, caller, now, since=since)
        missed = ~Q(status=DeliveryStatus.DELIVERED)
        if since:
            missed |= Q(event__at__gte=since)
        return requeue_deliveries(endpoint.deliveries.filter(missed).values_list("pk", flat=True), now)


def send_again(*, deliveries: QuerySet[Delivery], caller: Caller, now: datetime) -> int:
    """Make these deliveries once more, whatever became of them before; how many. On the trails of their tenants."""
    with transaction.atomic():
        names = ("event__tenant", "endpoint", "pk", "event__message_id")
        rows = list(deliveries.order_by(*names[:3]).values_list(*names))
        endpoints = Endpoint.objects.in_bulk({endpoint for _, endpoint, *_ in rows})
        count = requeue_deliveries([pk for *_, pk, _ in rows], now)
        for (tenant_id, endpoint_id), some in groupby(rows, itemgetter(0, 1)):
            events = [message_id for *_, message_id in some]
            audit(Action.WEBHOOK_SENT_AGAIN, endpoints[endpoint_id], caller, now, tenant_id=tenant_id, messages=events)
        return count


def remove(*, endpoint: Endpoint, caller: Caller, now: datetime) -> None:
    """Forget an endpoint and what waits for it."""
    with transaction.atomic():
        audit(Action.WEBHOOK_REMOVED, endpoint, caller, now)
        endpoint.delete()
