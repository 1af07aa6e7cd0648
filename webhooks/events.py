"""Say that something happened, in the transaction in which it did."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from webhooks.deliveries import enqueue_deliveries, partners_allowed
from webhooks.models import Delivery, Endpoint, Event

_ONE_MORE = """
INSERT INTO webhooks_stream (subject, version) VALUES (%s, 1)
ON CONFLICT (subject) DO UPDATE SET version = webhooks_stream.version + 1 RETURNING version
"""


def publish(
    *,
    type: StrEnum,
    key: str,
    tenant_id: int,
    subject: str,
    describe: Callable[[], Mapping[str, Any]],
    now: datetime,
) -> Event | None:
    """Write an event to the feed, and have it delivered to whoever listens; once per ``key``.

    None where it was said before. Four statements where nobody listens; ``describe`` costs its own. It is asked for
    the data, in which are no names, addresses or numbers of people. ``subject`` is what the version counts for.
    """
    if Event.objects.filter(key=key).exists():
        return None
    event = Event.objects.create(
        message_id=f"evt_{uuid.uuid4().hex}",
        key=key,
        type=type.value,
        tenant_id=tenant_id,
        subject=subject,
        version=_next_version(subject),
        at=now,
        data=json.loads(json.dumps(describe(), cls=DjangoJSONEncoder)),
    )
    partners = partners_allowed(tenant_id, Endpoint.objects.values("partner"), now)
    if partners:
        _deliver(event, partners, now)
    return event


def _deliver(event: Event, partners: Collection[str], now: datetime) -> None:
    """To the endpoints that want it; what is disabled gets it when it goes on."""
    endpoints = [e for e in Endpoint.objects.filter(partner__in=partners).order_by("pk") if e.wants(event.type)]
    deliveries = Delivery.objects.bulk_create([Delivery(endpoint=endpoint, event=event) for endpoint in endpoints])
    enqueue_deliveries([d for d, e in zip(deliveries, endpoints, strict=True) if e.disabled_at is None], now)


def _next_version(subject: str) -> int:
    """The row is locked until the transaction ends, so that versions are in the order of the commits."""
    with connection.cursor() as cursor:
        cursor.execute(_ONE_MORE, [subject])
        version: int = cursor.fetchone()[0]
    return version
