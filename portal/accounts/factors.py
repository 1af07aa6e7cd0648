"""A second factor that its person has lost: staff take it away, so that a new one can be set up."""

from __future__ import annotations

from datetime import datetime

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.http import HttpRequest
from django.utils import translation

from common.formatting import active_language
from portal.accounts.mail import ask_for_mail
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller
from tenants.models import User
from tenants.sessions import end_sessions

_MAIL = "account/email/second_factor_reset"


def reset_second_factor(*, person: User, reason: str, caller: Caller, request: HttpRequest, now: datetime) -> bool:
    """Take every authenticator and recovery code away, end all sessions, and mail the person, in their language.

    Whether they may is for the caller to have checked. False where there is nothing to take away.
    """
    with transaction.atomic():
        User.objects.select_for_update().get(pk=person.pk)
        found = Authenticator.objects.filter(user=person)
        kinds = sorted(found.values_list("type", flat=True))
        if not kinds:
            return False
        found.delete()
        end_sessions(person.pk)
        record(
            tenant_id=None,
            at=now,
            action=Action.PERSON_SECOND_FACTOR_RESET,
            subject=f"User:{person.pk}",
            caller=caller,
            language=active_language(),
            data={"factors": kinds},
            personal={"name": caller.name, "reason": reason},
        )
        with translation.override(person.language or active_language()):
            ask_for_mail(request, _MAIL, to=person)
    return True
