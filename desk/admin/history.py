"""What the audit trail says of a request, in words."""

from __future__ import annotations

from django.utils.translation import gettext as _

from common.admin import Change
from tenants.audit import actor_names
from tenants.models import AuditEvent


def changes_of(events: list[AuditEvent]) -> list[Change]:
    """The trail in words. Two queries at most."""
    names = actor_names(events)
    return [Change(event.at, names[event.actor_kind, event.actor_id], _said_of(event)) for event in events]


def _said_of(event: AuditEvent) -> str:
    said, reason = event_name(event.action), event.data.get("reason")
    return f"{said}: {reason}" if reason else said


def event_name(action: str) -> str:
    """What happened to a callback request, for its history; the action itself where there are no words for it."""
    return {
        "callback.requested": _("asked for a call"),
        "callback.updated": _("asked again, with other details"),
        "callback.rescheduled": _("moved the call"),
        "callback.withdrawn": _("withdrew the request"),
        "callback.claimed": _("claimed it"),
        "callback.released": _("released it"),
        "callback.reassigned": _("handed it over"),
        "callback.closed": _("closed it"),
        "callback.closed_without_call": _("closed it without a call"),
        "callback.reopened": _("reopened it"),
        "callback.canceled": _("canceled the subscription"),
        "callback.erased": _("erased the contact data"),
        "callback.no_answer": _("called: no answer"),
        "callback.busy": _("called: busy"),
        "callback.voicemail": _("called: left a voicemail"),
        "callback.wrong_number": _("called: wrong number"),
        "callback.call_later": _("called: to call later"),
        "callback.language_needed": _("called: another language is needed"),
        "callback.asked_not_to_call": _("called: asked not to be called"),
    }.get(action, action)
