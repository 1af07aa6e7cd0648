"""What the audit trail says of a request, in words."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _

from common.admin import Change
from desk.attempts import LOGGED
from tenants.actions import Action
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
    called: Mapping[str, str] = {
        str(outcome.follows.action): _("called: %(outcome)s") % {"outcome": _(outcome.label)} for outcome in LOGGED
    }
    names: Mapping[str, str] = {
        **called,
        Action.CALLBACK_REQUESTED: _("asked for a call"),
        Action.CALLBACK_UPDATED: _("asked again, with other details"),
        Action.CALLBACK_RESCHEDULED: _("moved the call"),
        Action.CALLBACK_WITHDRAWN: _("withdrew the request"),
        Action.CALLBACK_CLAIMED: _("claimed it"),
        Action.CALLBACK_RELEASED: _("released it"),
        Action.CALLBACK_REASSIGNED: _("handed it over"),
        Action.CALLBACK_CLOSED: _("closed it"),
        Action.CALLBACK_CLOSED_WITHOUT_CALL: _("closed it without a call"),
        Action.CALLBACK_REOPENED: _("reopened it"),
        Action.CALLBACK_CANCELED: _("canceled the subscription"),
        Action.CALLBACK_ERASED: _("erased the contact data"),
    }
    return names.get(action, action)
