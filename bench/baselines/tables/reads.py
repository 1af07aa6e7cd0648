"""What the Django baselines read by hand: who calls, counts, and the policies in force."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q
from django.http import HttpRequest
from django.utils import timezone

from bench.baselines.rules import decide
from bench.baselines.tables.models import PartnerToken, PaymentMethod, Policy

_HELD = (Q(licenses__is_direct=True) | Q(licenses__is_inherited=True)) & Q(licenses__user__deleted_at=None)
ASSIGNED = Count("licenses", filter=_HELD)
BY_GROUP = Count("licenses", filter=_HELD & Q(licenses__is_inherited=True))
HAS_METHOD = Exists(PaymentMethod.objects.filter(account=OuterRef("agreement__account"), is_active=True))


@dataclass
class Caller:
    """Whose token it is, and the policies of its tenants, read once for a request."""

    tenants: list[int]
    may_act: bool
    policies: dict[int | None, Policy]


def caller_of(request: HttpRequest) -> Caller:
    """The bearer's."""
    if not hasattr(request, "caller"):
        digest = hashlib.sha256(request.headers["Authorization"][7:].encode()).hexdigest()
        alive = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
        token = PartnerToken.objects.get(alive, digest=digest, revoked_at=None)
        tenants = list(token.tenants.values_list("pk", flat=True))
        in_force = Policy.objects.filter(Q(tenant=None) | Q(tenant__in=tenants), in_force=True)
        policies = {policy.tenant_id: policy for policy in in_force}  # type: ignore[attr-defined]
        request.caller = Caller(tenants, "CANCEL" in token.scopes, policies)  # type: ignore[attr-defined]
    found: Caller = request.caller  # type: ignore[attr-defined]
    return found


def decided(row: Any, caller: Caller) -> dict[str, Any]:
    """The decision on a subscription that was read with its counts."""
    policy = caller.policies.get(row.tenant_id) or caller.policies[None]
    return decide(
        assigned=row.assigned,
        by_group=row.by_group,
        purchased=row.purchased_licenses,
        is_trial=row.is_trial,
        has_method=row.has_method,
        methods_known=row.agreement.account.payment_methods_known,
        limit=policy.online_license_limit,
        is_inclusive=policy.limit_is_inclusive,
        policy=policy.name,
        version=policy.version,
        may_act=caller.may_act,
    )
