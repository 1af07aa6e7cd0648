"""Keep what providers say that cannot be taken, until staff looked at it."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing.models import ProviderNotice
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller


def resolve_notice(*, notice: ProviderNotice, caller: Caller, language: str, now: datetime) -> bool:
    """Note that somebody looked at both sides; False when somebody had. Reads the agreement and its account."""
    with transaction.atomic():
        if not ProviderNotice.objects.filter(pk=notice.pk, seen_at=None).update(seen_at=now):
            return False
        record(
            tenant_id=notice.agreement.account.tenant_id,
            at=now,
            action=Action.NOTICE_RESOLVED,
            subject=f"ProviderNotice:{notice.pk}",
            caller=caller,
            language=language,
            data={"provider": notice.provider, "reference": notice.reference, "reason": notice.reason},
            personal={"name": caller.name},
        )
        return True
