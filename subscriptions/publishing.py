"""Put a new version of a cancellation policy in force."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from django.db import transaction

from common.errors import ChangedMeanwhile
from subscriptions.models import CancellationPolicy
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller
from tenants.models import Tenant


def publish_policy(
    *, caller: Caller, policy: CancellationPolicy, instead_of: int | None, language: str, now: datetime
) -> CancellationPolicy:
    """Save ``policy`` as the next version of its tenant (None: the default) and put it in force.

    The version that was in force stays as it is: cancellations point at it. Quotes made under it are refused.
    ``instead_of``: what is believed to be in force for the tenant itself. Raises ChangedMeanwhile where it is not.
    """
    with transaction.atomic(durable=True):
        versions = CancellationPolicy.objects.filter(tenant=policy.tenant)
        # One after the other, also where there is no version to wait for. What is there is read after the wait.
        if policy.tenant_id:
            Tenant.objects.select_for_update(no_key=True).get(pk=policy.tenant_id)
        list(versions.select_for_update().order_by("pk"))
        last, replaced = versions.order_by("-version").first(), versions.filter(in_force=True).first()
        if instead_of != (replaced.pk if replaced else None):
            raise ChangedMeanwhile
        versions.filter(in_force=True).update(in_force=False)
        policy.pk = None
        policy.version = last.version + 1 if last else 1
        policy.in_force = True
        policy.created_at = now
        policy.created_by_id = caller.user_id
        policy.save(force_insert=True)
        _audit(Action.POLICY_PUBLISHED, caller, policy, language, now, replaced)
        return policy


def withdraw_policy(*, caller: Caller, tenant: Tenant, language: str, now: datetime) -> bool:
    """Let a tenant go by the default policy again; False when it did already."""
    with transaction.atomic(durable=True):
        own = CancellationPolicy.objects.select_for_update().filter(tenant=tenant, in_force=True).first()
        if own is None or not CancellationPolicy.objects.filter(pk=own.pk, in_force=True).update(in_force=False):
            return False
        _audit(Action.POLICY_WITHDRAWN, caller, own, language, now)
        return True


def _audit(
    action: Action,
    caller: Caller,
    policy: CancellationPolicy,
    language: str,
    now: datetime,
    replaced: CancellationPolicy | None = None,
) -> None:
    """On the tenant's chain; the default policy's is the installation's. ``replaced``: what was in force until now."""
    record(
        tenant_id=policy.tenant_id,
        at=now,
        action=action,
        subject=f"CancellationPolicy:{policy.pk}",
        caller=caller,
        language=language,
        data={**asdict(policy.terms), "replaced": asdict(replaced.terms) if replaced else None},
        personal={"name": caller.name, "email": caller.email},
    )
