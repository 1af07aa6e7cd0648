"""What the hash of an event covers, by its format. A format that was written once never changes: another field is another one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from common.keys import current_id, digest, digests, is_digest_of, keys
from tenants.models import AuditEvent

Data = Mapping[str, Any]
_FIRST = (
    "previous", "tenant", "position", "at", "action", "subject", "actor", "language", "request", "data", "personal",
)  # fmt: skip
# 1: a plain hash, which whoever writes the database can make, too. 2: with the key that the event names.
FORMATS: Mapping[int, tuple[str, ...]] = {1: _FIRST, 2: (*_FIRST, "format", "key")}
_EVENT, _PERSONAL, _OLDER = "wayout.audit.event", "wayout.audit.personal", "wayout.audit.older"


def sign(event: AuditEvent, personal: Data) -> None:
    """Fill in what the newest format keeps of an event that is about to be written: its hash, and that of its personal data."""
    event.format, event.key_id = max(FORMATS), current_id()
    event.personal_digest = _bare(digest(_PERSONAL, canonical(personal))) if personal else ""
    event.hash = _bare(digest(_EVENT, _covered(event)))


def is_readable(event: AuditEvent) -> bool:
    """Whether its key is named. Those of the first format say none."""
    return event.format == 1 or event.key_id in keys()


def is_intact(event: AuditEvent) -> bool:
    """Whether the hash is that of the event, by a key that is named."""
    if event.format == 1:
        return event.hash == hashlib.sha256(_covered(event).encode()).hexdigest()
    return is_digest_of(f"{event.key_id}:{event.hash}", _EVENT, _covered(event))


def is_personal_data_of(personal: Data, event: AuditEvent) -> bool:
    """Whether this is what was recorded with it, by a key that is named."""
    if event.format == 1:
        return event.personal_digest in map(_bare, digests(_PERSONAL, canonical(personal)))
    return is_digest_of(f"{event.key_id}:{event.personal_digest}", _PERSONAL, canonical(personal))


def sign_older(tenant_id: int | None, position: int, end: str) -> str:
    """For a head: up to this event, whose hash is ``end``, the chain counts as it was written with plain hashes."""
    return digest(_OLDER, canonical([tenant_id, position, end]))


def is_older_signed(signature: str, tenant_id: int | None, position: int, end: str) -> bool:
    """Whether we signed that, by a key that is named."""
    return is_digest_of(signature, _OLDER, canonical([tenant_id, position, end]))


def canonical(data: Any) -> str:
    """The same text for the same data."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), cls=DjangoJSONEncoder)


def _covered(event: AuditEvent) -> str:
    values = {
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
        "format": event.format,
        "key": event.key_id,
    }
    return canonical({name: values[name] for name in FORMATS[event.format]})


def _bare(made: str) -> str:
    return made.partition(":")[2]
