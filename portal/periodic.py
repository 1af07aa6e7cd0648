"""What accounts and the admin know of people, forgotten in time; and tokens that are about to end."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.admin.models import LogEntry
from django.utils.timezone import get_current_timezone
from django.utils.translation import gettext_lazy as _

from common.formatting import format_datetime
from outbox.mail import queue_staff_mail
from outbox.registry import periodic
from portal.accounts.invitations import forget_invitations
from tenants.personal import forget_old_names
from tenants.sessions import forget_sessions
from tenants.tokens import ending_tokens
from tenants.vouching import forget_portal_sessions, forget_vouched_people

HISTORY_KEPT_FOR = timedelta(days=365)
_BATCH = 1_000

periodic(timedelta(hours=1))(forget_sessions)
periodic(timedelta(hours=1))(forget_portal_sessions)
periodic(timedelta(hours=6))(forget_invitations)
periodic(timedelta(hours=6))(forget_old_names)
periodic(timedelta(hours=6))(forget_vouched_people)


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


@periodic(timedelta(hours=6))
def warn_of_ending_tokens(now: datetime) -> int:
    """Mail staff of each once, and once more where its end was moved."""
    tokens = list(ending_tokens(now))
    for token in tokens:
        assert token.expires_at
        queue_staff_mail(
            key=f"token.ends:{token.pk}:{token.expires_at:%Y-%m-%d}",
            sentence=_(
                "The token “%(name)s” (%(token)s) of the whole installation ends at %(at)s. Move its end, or make another."
            ),
            values={
                "name": token.name,
                "token": token.key_id,
                "at": format_datetime(token.expires_at, get_current_timezone()),
            },
            now=now,
        )
    return len(tokens)
