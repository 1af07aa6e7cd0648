"""Checks of what callers send that every service shares."""

from __future__ import annotations

import unicodedata

from django.conf import settings

from common.errors import CharactersInvalid, NotFound, RateLimited, TextTooLong, ValueMissing
from common.rates import hit_rate_limit
from subscriptions.models import Subscription
from subscriptions.selectors.lists import visible
from tenants.callers import Caller, CallerKind, Scope, refusal


def clean_text(text: str, *path: str, limit: int, required: bool = False) -> str:
    """Return ``text`` without surrounding space.

    Raises InputInvalid for control characters (line breaks and tabs are fine), half surrogates, more than
    ``limit`` characters, or nothing where something is ``required``.
    """
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\r\t" for c in text):
        raise CharactersInvalid(*path)
    if len(text) > limit:
        raise TextTooLong(*path, limit=limit)
    cleaned = text.strip()
    if required and not cleaned:
        raise ValueMissing(*path)
    return cleaned


def locked_subscription(
    caller: Caller, subscription_id: int, scope: Scope, *path: str, dry_run: bool = False
) -> Subscription:
    """The subscription, its row and its agreement's locked until the transaction ends: both are decided on.

    Raises NotFound for one that the caller cannot see, NotPermitted when it may not do ``scope`` there,
    RateLimited when the tenant is changed too often.
    """
    rows = visible(Subscription.objects.all(), caller).select_for_update(of=("self", "agreement"), no_key=True)
    subscription = rows.select_related("tenant", "agreement").filter(pk=subscription_id).first()
    if subscription is None:
        raise NotFound(*path)
    require(caller, scope, subscription.tenant_id)
    within_rate(caller, subscription.tenant_id, "try" if dry_run else "change")
    return subscription


def within_rate(caller: Caller, tenant_id: int, what: str) -> None:
    """Changes of one tenant by its people are counted together, those by each partner apart, and so is what only tries.

    Nobody can use up what another needs. Staff and commands are not counted.
    """
    if not caller.is_person and caller.kind is not CallerKind.PARTNER:
        return
    found = hit_rate_limit(settings.WAYOUT_TENANT_RATE, "tenant", str(tenant_id), caller.partner, what)
    if not found.allowed:
        raise RateLimited(retry_after=found.retry_after)


def require(caller: Caller, scope: Scope, tenant_id: int) -> None:
    """Raise NotPermitted, which names the scope or the role that is missing, unless the caller may do ``scope`` in the tenant."""
    if not caller.may(scope, tenant_id):
        raise refusal(caller, scope)
