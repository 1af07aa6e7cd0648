"""What subscriptions know of a person: who canceled, and who holds licenses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from common.personal import Holding, Whom, blanking, by_address
from subscriptions.models import Cancellation, DirectoryUser


def _cancellations(whom: Whom) -> QuerySet[Cancellation]:
    if whom.user_id is None:
        return Cancellation.objects.none()
    return Cancellation.objects.filter(Q(requested_by_user=whom.user_id) | Q(customer=whom.user_id))


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
        "directory_users",
        lambda whom: DirectoryUser.objects.filter(by_address("principal_name", whom)),
        ("tenant__domain", "principal_name", "display_name", "last_active_at", "is_blocked", "deleted_at"),
        _erase_users,
        kept="that somebody holds a license; the next import brings back whom the customer's directory still has",
    ),
)
