"""What subscriptions know of a person: who canceled, and who holds licenses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from common.personal import Holding, Whom, blanking, by_address, mentioning
from subscriptions.models import Cancellation, DirectoryUser, Removal
from tenants.personal import vouched


def _cancellations(whom: Whom) -> QuerySet[Cancellation]:
    theirs = Q(requested_by_vouched__in=vouched(whom))
    if whom.user_id is not None:
        theirs |= Q(requested_by_user=whom.user_id) | Q(customer=whom.user_id)
    return Cancellation.objects.filter(theirs)


def _refusals(whom: Whom) -> QuerySet[Removal]:
    """Removals that somebody asked for, of their license, or whose refusal mentions them."""
    with_text = Removal.objects.exclude(text="")
    of_them = Q(request__requested_by_user=whom.user_id) if whom.user_id else Q(pk=None)
    return with_text.filter(
        of_them | by_address("license__user__principal_name", whom) | mentioning(with_text, "text", whom)
    )


def _erase_users(rows: QuerySet[Any], _now: datetime) -> None:
    for row in rows:
        row.principal_name = row.principal_key = f"erased-{row.pk}"
        row.display_name = ""
        row.save()


HOLDINGS = (
    Holding(
        "cancellations",
        _cancellations,
        ("reference", "requested_at", "mode", "language", "feedback", "comment", "staff_reason"),
        blanking(comment="", staff_reason=""),
        kept="what was canceled, when and for how much, without who it was",
    ),
    Holding(
        "removals",
        _refusals,
        ("requested_at", "status", "decided_at", "text"),
        blanking(text=""),
        kept="that a license was to be removed, and what became of that",
    ),
    Holding(
        "directory_users",
        lambda whom: DirectoryUser.objects.filter(by_address("principal_name", whom)),
        ("tenant__domain", "principal_name", "display_name", "last_active_at", "is_blocked", "deleted_at"),
        _erase_users,
        kept="that somebody holds a license; the next import brings back whom the customer's directory still has",
    ),
)
