"""What became of removals that somebody else carries out: the host says it, a connection hears it, or a list shows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Q

from common.chunks import chunks
from common.errors import TooManyValues, ValueMissing
from common.languages import DEFAULT_LANGUAGE
from outbox.each import each_by_itself
from subscriptions.carriers.base import CONFIRMED, Carried, CarryState
from subscriptions.events import publish_removals_decided
from subscriptions.idempotency import one_transaction
from subscriptions.inputs import clean_text, require, within_rate
from subscriptions.models import License, Removal, RemovalStatus, Subscription
from subscriptions.models.removals import MAX_TEXT
from subscriptions.selectors.lists import visible
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller, Scope
from tenants.models import Tenant
from tenants.people import SYSTEM

MAX_SETTLEMENTS = 1_000
_MAX_ID = 100
_FINAL = {CarryState.CONFIRMED: RemovalStatus.CONFIRMED, CarryState.REFUSED: RemovalStatus.REFUSED}


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a host says of one removal, by its own ids; without a tenant's id, of the only tenant that it sees."""

    user: str
    subscription: str
    tenant: str
    carried: Carried


@dataclass(frozen=True, slots=True)
class Settled:
    """How many stand as was said, by this call or before; the users of those that do not, and of those not known."""

    count: int = 0
    conflicts: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def settle_removals(*, caller: Caller, settlements: Sequence[Settlement], language: str, now: datetime) -> Settled:
    """Keep what the directory made of removals. Repeating it is harmless; a contrary word changes nothing.

    What is confirmed counts no more. A cancellation stands whatever is refused after it. Raises InputInvalid,
    NotPermitted, RateLimited.
    """
    if len(settlements) > MAX_SETTLEMENTS:
        raise TooManyValues("removals", limit=MAX_SETTLEMENTS)
    cleaned = [_cleaned(settlement, str(n)) for n, settlement in enumerate(settlements)]
    with one_transaction():
        licenses = _licenses(cleaned, _tenants(caller, cleaned))
        subscriptions = _locked({license.subscription_id for license in licenses if license})
        latest = _latest(license.pk for license in licenses if license)
        decided: dict[int, Carried] = {}
        count, conflicts, unknown = 0, list[str](), list[str]()
        for given, license in zip(cleaned, licenses, strict=True):
            removal = latest.get(license.pk) if license else None
            if removal is None:
                unknown.append(given.user)
            elif _agrees(removal, given.carried, decided):
                count += 1
            else:
                conflicts.append(given.user)
        # By tenant, so that the ends of their trails are locked in one order.
        for subscription in sorted(subscriptions, key=lambda one: (one.tenant_id, one.pk)):
            decide_removals(subscription, decided, caller=caller, language=language, now=now)
        return Settled(count, conflicts, unknown)


def decide_removals(
    subscription: Subscription, decided: Mapping[int, Carried], *, caller: Caller, language: str, now: datetime
) -> int:
    """Decide those of these removals that are open and of this subscription, whose row is locked; how many."""
    rows: list[Removal] = []
    for piece in chunks(decided):
        found = Removal.objects.filter(pk__in=piece, status=RemovalStatus.REQUESTED, license__subscription=subscription)
        rows += [row for row in found.order_by("pk") if decided[row.pk].state in _FINAL]
    if not rows:
        return 0
    for row in rows:
        carried = decided[row.pk]
        row.status, row.decided_at = _FINAL[carried.state], now
        row.reason, row.text = carried.reason or "", carried.text[:MAX_TEXT]
    Removal.objects.bulk_update(rows, ["status", "decided_at", "reason", "text"], batch_size=100)
    confirmed = [row.license_id for row in rows if row.status == RemovalStatus.CONFIRMED]
    for piece in chunks(row.license_id for row in rows):
        License.objects.filter(pk__in=piece).update(removal_requested_at=None)
    for piece in chunks(confirmed):
        License.objects.filter(pk__in=piece).update(
            is_direct=False, removed_at=now, removed_here=True, contradicted_at=None
        )
    _record(subscription, rows, caller, language, now)
    return len(rows)


def confirm_gone(now: datetime) -> int:
    """A license that the directory shows no more is removed, whoever was asked for that: lists say so before answers do."""
    gone = Removal.objects.filter(
        Q(license__is_direct=False) | Q(license__user__deleted_at__isnull=False), status=RemovalStatus.REQUESTED
    )
    subscriptions = Subscription.objects.filter(pk__in=gone.values("license__subscription"))

    def confirm(subscription: Subscription) -> bool:
        with one_transaction():
            [locked] = _locked([subscription.pk])
            keys = gone.filter(license__subscription=locked).values_list("pk", flat=True)
            decided = dict.fromkeys(keys, CONFIRMED)
            return bool(decide_removals(locked, decided, caller=SYSTEM, language=DEFAULT_LANGUAGE, now=now))

    return each_by_itself(subscriptions.order_by("pk"), confirm, work="confirm_gone_removals", now=now)


def _cleaned(given: Settlement, number: str) -> Settlement:
    def clean(text: str, name: str, limit: int = _MAX_ID) -> str:
        return clean_text(text, "removals", number, name, limit=limit)

    carried = Carried(given.carried.state, given.carried.reason, clean(given.carried.text, "text", MAX_TEXT))
    return Settlement(
        user=clean(given.user, "userExternalId"),
        subscription=clean(given.subscription, "subscriptionExternalId"),
        tenant=clean(given.tenant, "tenantExternalId"),
        carried=carried,
    )


def _tenants(caller: Caller, given: Sequence[Settlement]) -> list[int | None]:
    """The tenant of each, as far as the caller sees one of that id. Raises ValueMissing where it has to be named."""
    seen = visible(Tenant.objects.all(), caller, "pk")
    by_id = dict(seen.filter(external_id__in={one.tenant for one in given} - {""}).values_list("external_id", "pk"))
    only = None if caller.reaches_all or len(caller.visible_tenant_ids) != 1 else next(iter(caller.visible_tenant_ids))
    tenants = [by_id.get(one.tenant) if one.tenant else only for one in given]
    for number, one in enumerate(given):
        if not one.tenant and only is None:
            raise ValueMissing("removals", str(number), "tenantExternalId")
    for tenant_id in sorted({tenant_id for tenant_id in tenants if tenant_id}):
        require(caller, Scope.SYNC, tenant_id)
        within_rate(caller, tenant_id, "change")
    return tenants


def _licenses(given: Sequence[Settlement], tenants: Sequence[int | None]) -> list[License | None]:
    """The license that each is about. One query for each tenant."""
    by_tenant: dict[int, list[Settlement]] = defaultdict(list)
    for one, tenant_id in zip(given, tenants, strict=True):
        if tenant_id and one.user and one.subscription:
            by_tenant[tenant_id].append(one)
    found: dict[tuple[int, str, str], License] = {}
    for tenant_id, of_tenant in by_tenant.items():
        rows = License.objects.filter(
            subscription__tenant=tenant_id,
            subscription__external_id__in={one.subscription for one in of_tenant},
            user__tenant=tenant_id,
            user__external_id__in={one.user for one in of_tenant},
        ).select_related("subscription", "user")
        found |= {(tenant_id, row.subscription.external_id, row.user.external_id): row for row in rows}
    return [
        found.get((tenant_id or 0, one.subscription, one.user)) for one, tenant_id in zip(given, tenants, strict=True)
    ]


def _locked(subscription_ids: Collection[int]) -> list[Subscription]:
    """Locked until the transaction ends, in one order, as whoever asks for removals does."""
    rows = Subscription.objects.filter(pk__in=subscription_ids).select_for_update(of=("self",), no_key=True)
    return list(rows.order_by("pk"))


def _latest(license_ids: Iterable[int]) -> Mapping[int, Removal]:
    """The latest removal by license, which alone can still be decided."""
    found: dict[int, Removal] = {}
    for piece in chunks(set(license_ids)):
        found |= {row.license_id: row for row in Removal.objects.filter(license__in=piece).order_by("pk")}
    return found


def _agrees(removal: Removal, carried: Carried, decided: dict[int, Carried]) -> bool:
    """Whether it is decided as was said: before, by an earlier row of this call, or by this one, then added."""
    if removal.status != RemovalStatus.REQUESTED:
        return removal.status == _FINAL[carried.state]
    return decided.setdefault(removal.pk, carried).state is carried.state


def _record(subscription: Subscription, rows: Sequence[Removal], caller: Caller, language: str, now: datetime) -> None:
    refused: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if row.reason:
            refused[row.reason].append(row.license_id)
    event = record(
        tenant_id=subscription.tenant_id,
        at=now,
        action=Action.REMOVALS_DECIDED,
        subject=f"Subscription:{subscription.pk}",
        caller=caller,
        language=language,
        data={
            "confirmed": [row.license_id for row in rows if row.status == RemovalStatus.CONFIRMED],
            "refused": refused,
        },
        personal={"name": caller.name, "email": caller.email},
    )
    publish_removals_decided(subscription, rows, event.position, now)
