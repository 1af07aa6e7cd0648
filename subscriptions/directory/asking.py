"""Ask whoever carries removals out to take licenses away: the tenant's host, by an event, or a connection, by a task."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Max

from common.chunks import chunks
from subscriptions.directory.carrying import ask_to_carry
from subscriptions.events import publish_removals_requested
from subscriptions.models import License, Removal, RemovalRequest, RemovalStatus, Subscription
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller
from tenants.models import Removals


def request_removals(
    caller: Caller, subscription: Subscription, licenses: Sequence[int], language: str, now: datetime
) -> RemovalRequest:
    """One request for these licenses, none of which is being removed, with the subscription locked."""
    request = RemovalRequest.objects.create(
        tenant_id=subscription.tenant_id,
        subscription=subscription,
        requested_by_user_id=caller.user_id,
        requested_by_token_id=caller.token_id,
        requested_at=now,
    )
    for piece in chunks(licenses):
        Removal.objects.bulk_create(
            [Removal(request=request, license_id=license_id, requested_at=now) for license_id in piece]
        )
        License.objects.filter(pk__in=piece).update(removal_requested_at=now)
    if subscription.tenant.removals == Removals.CONNECTION:
        ask_to_carry(request, now)
    record(
        tenant_id=subscription.tenant_id,
        at=now,
        action=Action.REMOVALS_REQUESTED,
        subject=f"Subscription:{subscription.pk}",
        caller=caller,
        language=language,
        data={"request": request.pk, "licenses": licenses},
        personal={"name": caller.name, "email": caller.email},
    )
    publish_removals_requested(request, licenses, now)
    return request


def latest_request(licenses: Sequence[int]) -> int | None:
    """The latest request of which the removal of one of these licenses is still open."""
    latest: list[int | None] = []
    for piece in chunks(licenses):
        still_open = Removal.objects.filter(license__in=piece, status=RemovalStatus.REQUESTED)
        latest.append(still_open.aggregate(latest=Max("request"))["latest"])
    return max(filter(None, latest), default=None)
