"""What the desk knows of a person: whom it called, and who called."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from common.languages import DEFAULT_LANGUAGE
from common.personal import Holding, Whom
from desk.codes import OPEN_STATUSES
from desk.models import CallbackAttempt, CallbackRequest
from desk.services.contacts import erase_contact
from desk.services.requests import withdraw_callback
from tenants.people import SYSTEM
from tenants.personal import tenants_of, vouched


def requests_of(whom: Whom) -> QuerySet[CallbackRequest]:
    """What they asked for, and what others asked for with their number; those that were erased say nothing of anybody.

    By the number of an account only where the person belongs: it may be that of a switchboard, which others give, too.
    """
    theirs = Q(phone__in=whom.numbers)
    if whom.user_id:
        theirs = theirs & Q(tenant__in=tenants_of(whom.user_id)) | Q(requested_by_user=whom.user_id)
    return CallbackRequest.objects.filter(theirs | Q(requested_by_vouched__in=vouched(whom)), erased_at=None)


def open_requests_of(whom: Whom) -> QuerySet[CallbackRequest]:
    """Those for which somebody may be about to call."""
    return requests_of(whom).filter(status__in=OPEN_STATUSES)


def _erase(rows: QuerySet[Any], now: datetime) -> None:
    """Each by itself, on the trail. One that is open is withdrawn first."""
    for row in rows.order_by("pk"):
        withdraw_callback(caller=SYSTEM, callback_id=row.pk, language=DEFAULT_LANGUAGE, now=now)
        erase_contact(caller=SYSTEM, callback_id=row.pk, language=DEFAULT_LANGUAGE, now=now)


HOLDINGS = (
    Holding(
        "callback_attempts",
        lambda whom: CallbackAttempt.objects.filter(request__in=requests_of(whom)),
        ("request__reference", "started_at", "outcome", "note"),
        kept="when and with what outcome; the note goes with the request",
    ),
    Holding(
        "callback_requests",
        requests_of,
        (
            "reference", "requested_at", "contact_name", "phone", "phone_extension", "phone_as_typed", "language",
            "time_zone", "note", "status", "closed_at",
        ),
        _erase,
        kept="reference, times and outcome",
    ),
    Holding(
        "calls_made",
        lambda whom: CallbackAttempt.objects.filter(agent=whom.user_id, agent__isnull=False),
        ("request__reference", "started_at", "ended_at", "outcome"),
        kept="without who called",
    ),
)  # fmt: skip
