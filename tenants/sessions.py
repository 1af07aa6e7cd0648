"""The sessions of a person: listed, ended, and forgotten once they are over."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from tenants.models import SignIn

_BATCH = 1_000


def sessions_of(user_id: int, now: datetime) -> QuerySet[SignIn]:
    """Those that would let the person in, the last used first. One query."""
    return SignIn.objects.filter(user=user_id, session_key__in=_live(now)).order_by("-seen_at", "-pk")


def end_sessions(user_id: int, *, only: int | None = None, but: str | None = None) -> int:
    """End one session, or all of a person but the one with this key; how many there were. Their tokens end with them."""
    found = SignIn.objects.filter(user=user_id)
    found = found.filter(pk=only) if only is not None else found.exclude(session_key=but or "")
    with transaction.atomic():
        Session.objects.filter(session_key__in=list(found.values_list("session_key", flat=True))).delete()
        ended = found.delete()[0]
        if only is None:
            unlisted = [key for key in _unlisted(user_id, timezone.now()) if key != but]
            ended += Session.objects.filter(session_key__in=unlisted).delete()[0]
        return ended


def _unlisted(user_id: int, now: datetime) -> list[str]:
    """Sessions of a person that were not used since there is a list. Reads those that are in no list: few, and nobody's."""
    rows = Session.objects.filter(expire_date__gt=now).exclude(session_key__in=SignIn.objects.values("session_key"))
    return [row.pk for row in rows.iterator(_BATCH) if row.get_decoded().get(SESSION_KEY) == str(user_id)]


def forget_sessions(now: datetime) -> int:
    """Drop sessions that are over, in pieces, and what the lists say of them."""
    count, over = 0, Session.objects.filter(expire_date__lte=now).order_by("expire_date")
    while keys := list(over.values_list("pk", flat=True)[:_BATCH]):
        count += Session.objects.filter(pk__in=keys).delete()[0]
    SignIn.objects.exclude(session_key__in=_live(now)).delete()
    return count


def _live(now: datetime) -> QuerySet[Session, str]:
    return Session.objects.filter(expire_date__gt=now).values_list("session_key", flat=True)
