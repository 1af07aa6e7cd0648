"""What accounts and the admin know of people, forgotten in time."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.admin.models import LogEntry

from outbox.registry import periodic
from tenants.personal import forget_old_names
from tenants.sessions import forget_sessions

HISTORY_KEPT_FOR = timedelta(days=365)
_BATCH = 1_000

periodic(timedelta(hours=1))(forget_sessions)
periodic(timedelta(hours=6))(forget_old_names)


@periodic(timedelta(hours=6))
def forget_admin_history(now: datetime) -> int:
    """Drop entries of the admin's history after a year: the trail has what was changed. Looks at the oldest alone."""
    count = 0
    while True:
        oldest = LogEntry.objects.order_by("pk").values_list("pk", "action_time")[:_BATCH]
        old = [pk for pk, at in oldest if at < now - HISTORY_KEPT_FOR]
        count += LogEntry.objects.filter(pk__in=old).delete()[0]
        if len(old) < _BATCH:
            return count
