"""The audit trail: append, and erase. A chain per tenant, one of the installation (None); the head is locked meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet

from common.keys import key_of
from tenants.actions import Action
from tenants.callers import Caller, CallerKind
from tenants.hashing import Data, canonical, sign, sign_older
from tenants.models import (
    AuditEvent,
    AuditHead,
    AuditPersonalData,
    InstallationAuditHead,
    PartnerToken,
    User,
    VouchedPerson,
)
from tenants.security import say_recorded


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
    said = {"address": caller.address, "vouched_by": caller.vouched_by}
    personal = {**(personal or {}), **{name: value for name, value in said.items() if value}}
    heads = heads_of(tenant_id)
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
        data=json.loads(canonical(data)),
        previous_hash=head.hash,
    )
    sign(event, personal)
    event.save(force_insert=True)
    if personal:
        AuditPersonalData.objects.create(event=event, data=dict(personal))
    heads.update(position=event.position, hash=event.hash)
    transaction.on_commit(partial(say_recorded, action, subject, tenant_id, caller), robust=True)
    return event


def events_about(tenant_id: int | None, subject: str, after: int = 0) -> QuerySet[AuditEvent]:
    """What the trail says of one thing, oldest first; only past the position ``after``."""
    return AuditEvent.objects.filter(tenant=tenant_id, subject=subject, position__gt=after).order_by("position")


def actor_names(events: Iterable[AuditEvent]) -> Mapping[tuple[str, int], str]:
    """The name of everybody who acted, by kind and id, as they are called now. Three queries at most."""
    acting = {(event.actor_kind, event.actor_id) for event in events}
    people = {pk for kind, pk in acting if kind in (CallerKind.PERSON, CallerKind.STAFF)}
    tokens = {pk for kind, pk in acting if kind == CallerKind.PARTNER}
    users = {user.pk: user.display_name for user in User.objects.filter(pk__in=people)} if people else {}
    vouched_ids = {pk for kind, pk in acting if kind == CallerKind.VOUCHED}
    people_vouched = VouchedPerson.objects.filter(pk__in=vouched_ids).select_related("token") if vouched_ids else ()
    partners = dict(PartnerToken.objects.filter(pk__in=tokens).values_list("pk", "name")) if tokens else {}
    by_kind: Mapping[str, Mapping[int, str]] = {
        CallerKind.PERSON.value: users,
        CallerKind.STAFF.value: users,
        CallerKind.VOUCHED.value: {person.pk: person.display_name for person in people_vouched},
        CallerKind.PARTNER.value: partners,
    }
    return {(kind, pk): by_kind.get(kind, {}).get(pk, "Wayout") for kind, pk in acting}


def erase_personal_data(events: QuerySet[AuditEvent]) -> list[int]:
    """Forget who is behind these events of one chain, which still holds; their positions.

    Whoever erases says so on that chain, with the positions as ``erased`` in the data of an event: verify asks for it.
    """
    found = AuditPersonalData.objects.filter(event__in=events)
    positions = list(found.order_by("event__position").values_list("event__position", flat=True))
    found.delete()
    return positions


def accept_older(tenant_id: int | None, position: int) -> None:
    """Say, signed, that the first format counts up to this event: who verified the chain until there knows that it is right."""
    end = AuditEvent.objects.get(tenant=tenant_id, position=position).hash
    heads_of(tenant_id).update(older_until=position, older_signature=sign_older(tenant_id, position, end))


def events_by_key() -> Counter[str]:
    """How many events and ends need each key, by its id; "" for personal data of the first format. Reads the whole trail."""
    counted = AuditEvent.objects.exclude(format=1, personal=None).values_list("key_id")
    found = Counter(dict(counted.annotate(Count("pk")).order_by()))
    for heads in (AuditHead.objects, InstallationAuditHead.objects):
        found.update(map(key_of, heads.filter(older_until__gt=0).values_list("older_signature", flat=True)))
    return found


def heads_of(tenant_id: int | None) -> QuerySet[Any]:
    """The one head of a chain, if it has begun."""
    return AuditHead.objects.filter(pk=tenant_id) if tenant_id else InstallationAuditHead.objects.filter(pk=1)
