"""What whoever watches over an installation wants to hear of: one line of the log each.

A line says what, who (by id: never a name), from where (a keyed hash of the address: the same address is the same hash) and
what came of it. The request's number is on it as on every other line.
"""

from __future__ import annotations

import structlog
from django.http import HttpRequest

from common.codes import CodeTable
from common.keys import digest
from tenants.actions import Action
from tenants.callers import Caller
from tenants.requests import address

logger = structlog.get_logger("wayout.security")
DONE, REFUSED = "done", "refused"


class SecurityEvent(CodeTable):
    """What is said, besides what the audit trail has of people, rights and tokens."""

    outcome: str

    SIGNED_IN = "sign_in.done", DONE
    SIGN_IN_FAILED = "sign_in.failed", REFUSED
    SIGN_IN_DELAYED = "sign_in.delayed", REFUSED
    SIGN_IN_STRANGER = "sign_in.no_account", REFUSED
    IDENTITY_LINKED = "identity.linked", DONE
    SIGNED_OUT = "session.signed_out", DONE
    SESSION_ENDED = "session.ended", DONE
    TOKEN_REUSED = "session.token_reused", REFUSED
    PASSWORD_CHANGED = "password.changed", DONE
    PASSWORD_RESET_ASKED = "password.reset_asked", DONE
    PASSWORD_RESET = "password.reset", DONE
    FACTOR_ADDED = "factor.added", DONE
    FACTOR_REMOVED = "factor.removed", DONE
    FACTOR_FAILED = "factor.failed", REFUSED
    RECOVERY_CODES_MADE = "recovery_codes.made", DONE
    RECOVERY_CODE_USED = "recovery_codes.used", DONE
    BEARER_REFUSED = "bearer.refused", REFUSED
    FORM_REFUSED = "form.refused", REFUSED
    PAGE_REFUSED = "page.refused", REFUSED


# The actions of the trail that are said as well: whose begin with these.
_OF_TRAIL = ("group.", "invitation.", "keys.", "membership.", "person.", "portal_session.", "token.", "user.")


def say(event: SecurityEvent, request: HttpRequest, *, who: str | None = None, **facts: str) -> None:
    """Write the line of what a request did or tried. ``who``: as ``person`` and ``unknown`` call them; else the signed in."""
    write = logger.info if event.outcome == DONE else logger.warning
    if who is None:
        # What is refused early has not been asked who it is.
        who = person(getattr(getattr(request, "user", None), "pk", None))
    write(event.value, who=who, origin=_origin(address(request)), outcome=event.outcome, **facts)


def say_recorded(action: Action, subject: str, tenant_id: int | None, caller: Caller) -> None:
    """Write the line of what the trail records, where it is about people, rights or tokens. Call it after the commit."""
    if action.startswith(_OF_TRAIL):
        who, origin = f"{caller.kind.lower()}:{caller.id}", _origin(caller.address)
        logger.info(action.value, who=who, origin=origin, outcome=DONE, subject=subject, tenant=tenant_id)


def person(pk: int | None) -> str:
    """How lines call somebody who has an account; nobody is empty."""
    return f"person:{pk}" if pk else ""


def unknown(name: str) -> str:
    """How lines call a name that was typed and is nobody's: a keyed hash."""
    return f"name:{digest('wayout.security.name', name.casefold())}"


def _origin(address: str) -> str:
    return digest("wayout.security.address", address) if address else ""
