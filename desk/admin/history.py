"""What the audit trail says of a request, in words."""

from __future__ import annotations

from common.admin import Change
from subscriptions import wording
from tenants.audit import actor_names
from tenants.models import AuditEvent


def changes_of(events: list[AuditEvent]) -> list[Change]:
    """The trail in words. Two queries at most."""
    names = actor_names(events)
    return [Change(event.at, names[event.actor_kind, event.actor_id], _said_of(event)) for event in events]


def _said_of(event: AuditEvent) -> str:
    said, reason = wording.event_name(event.action), event.data.get("reason")
    return f"{said}: {reason}" if reason else said
