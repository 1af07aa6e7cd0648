"""The audit trail: append, and verify. A chain per tenant, one of the installation (None); the head is locked meanwhile."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import QuerySet

from common.keys import digests
from tenants.actions import Action
from tenants.callers import Caller, CallerKind
from tenants.models import AuditEvent, AuditHead, AuditPersonalData, InstallationAuditHead, PartnerToken, User
from tenants.security import say_recorded

Data = Mapping[str, Any]


def record(
    *,
    tenant_id: int | None,
    at: datetime,
    action: Action,
    subject: str,
    caller: Caller,
    language: str,
    data: Data,
    personal: Data | None = None,
) -> AuditEvent:
    """Append one event to the tenant's chain, in the transaction of the change it tells of.

    ``data`` is evidence without personal data; ``personal`` is kept apart so that it can be erased.
    Lock order: the caller holds its subscription already, the head comes last.
    """
    at = at.astimezone(UTC)  # as it is read back
    personal = {**(personal or {}), **({"address": caller.address} if caller.address else {})}
    heads = _heads(tenant_id)
    heads.get_or_create(pk=tenant_id or 1)
    head = heads.select_for_update().get()
    event = AuditEvent(
        tenant_id=tenant_id,
        position=head.position + 1,
        at=at,
        action=action.value,
        subject=subject,
        actor_kind=caller.kind.value,
        actor_id=caller.id,
        language=language,
        correlation_id=caller.correlation_id,
        data=json.loads(_canonical(data)),
        personal_digest=_keyed_hashes(personal)[0] if personal else "",
        previous_hash=head.hash,
    )
    event.hash = _hash(event)
    event.save(force_insert=True)
    if personal:
        AuditPersonalData.objects.create(event=event, data=dict(personal))
    heads.update(position=event.position, hash=event.hash)
    transaction.on_commit(partial(say_recorded, action, subject, tenant_id, caller), robust=True)
    return event


def erase_personal_data(events: QuerySet[AuditEvent]) -> list[int]:
    """Forget who is behind these events of one chain, which still holds; their positions.

    Whoever erases says so on that chain, with the positions as ``erased`` in the data of an event.
    """
    found = AuditPersonalData.objects.filter(event__in=events)
    positions = list(found.order_by("event__position").values_list("event__position", flat=True))
    found.delete()
    return positions


def events_about(tenant_id: int | None, subject: str, after: int = 0) -> QuerySet[AuditEvent]:
    """What the trail says of one thing, oldest first; only past the position ``after``."""
    return AuditEvent.objects.filter(tenant=tenant_id, subject=subject, position__gt=after).order_by("position")


def actor_names(events: Iterable[AuditEvent]) -> Mapping[tuple[str, int], str]:
    """The name of everybody who acted, by kind and id, as they are called now. Two queries at most."""
    acting = {(event.actor_kind, event.actor_id) for event in events}
    people = {pk for kind, pk in acting if kind in (CallerKind.PERSON, CallerKind.STAFF)}
    tokens = {pk for kind, pk in acting if kind == CallerKind.PARTNER}
    users = {user.pk: user.display_name for user in User.objects.filter(pk__in=people)} if people else {}
    partners = dict(PartnerToken.objects.filter(pk__in=tokens).values_list("pk", "name")) if tokens else {}
    by_kind: Mapping[str, Mapping[int, str]] = {
        CallerKind.PERSON.value: users,
        CallerKind.STAFF.value: users,
        CallerKind.PARTNER.value: partners,
    }
    return {(kind, pk): by_kind.get(kind, {}).get(pk, "Wayout") for kind, pk in acting}


@dataclass(frozen=True, slots=True)
class Break:
    """A place where a tenant's chain does not hold."""

    tenant_id: int | None
    position: int
    problem: str


def verify(tenant_id: int | None) -> Iterator[Break]:
    """Yield every place where the chain was changed, cut, reordered or shortened, or personal data edited."""
    position, previous_hash = 0, ""
    for event in AuditEvent.objects.filter(tenant=tenant_id).select_related("personal").order_by("position").iterator():
        if event.position != position + 1:
            yield Break(tenant_id, event.position, "an event before it is missing")
        if event.previous_hash != previous_hash:
            yield Break(tenant_id, event.position, "it does not follow the event before it")
        if event.hash != _hash(event):
            yield Break(tenant_id, event.position, "it was changed")
        personal = getattr(event, "personal", None)
        if personal is not None and event.personal_digest not in _keyed_hashes(personal.data):
            yield Break(tenant_id, event.position, "its personal data was changed, or its key is not named")
        position, previous_hash = event.position, event.hash
    head = _heads(tenant_id).first()
    if head and (head.position, head.hash) != (position, previous_hash):
        yield Break(tenant_id, head.position, "events at the end are missing")


def personal_data_by_key() -> Counter[str]:
    """How many events have personal data that a key covers; no event says which."""
    return Counter({"": AuditPersonalData.objects.count()})


def _heads(tenant_id: int | None) -> QuerySet[Any]:
    """The one head of a chain, if it has begun."""
    return AuditHead.objects.filter(pk=tenant_id) if tenant_id else InstallationAuditHead.objects.filter(pk=1)


def _hash(event: AuditEvent) -> str:
    covered = {
        "previous": event.previous_hash,
        "tenant": event.tenant_id,
        "position": event.position,
        "at": event.at.isoformat(),
        "action": event.action,
        "subject": event.subject,
        "actor": [event.actor_kind, event.actor_id],
        "language": event.language,
        "request": event.correlation_id,
        "data": event.data,
        "personal": event.personal_digest,
    }
    return hashlib.sha256(_canonical(covered).encode()).hexdigest()


def _keyed_hashes(personal: Data) -> list[str]:
    return [made.partition(":")[2] for made in digests("wayout.audit.personal", _canonical(personal))]


def _canonical(data: Data) -> str:
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), cls=DjangoJSONEncoder)
