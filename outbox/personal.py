"""What tasks know of a person: mail to them, or about them."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from common.personal import Holding, Whom, deleting, mentioning
from outbox.models import Task


def _tasks(whom: Whom) -> QuerySet[Task]:
    theirs = Q(payload__user=whom.user_id) if whom.user_id else Q(pk=None)
    return Task.objects.filter(mentioning(Task.objects.all(), "payload", whom) | theirs)


HOLDINGS = (Holding("tasks", _tasks, ("kind", "created_at", "status", "payload"), deleting),)
