"""Take licenses away from users."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from django.db.models import FilteredRelation, Q

from common.chunks import chunks
from subscriptions.directory.asking import latest_request, request_removals
from subscriptions.errors import RouteNotAvailable, SyncRunning, TooManyUsers
from subscriptions.events import publish_users_removed
from subscriptions.idempotency import IdempotentCall, one_transaction
from subscriptions.inputs import locked_subscription
from subscriptions.models import DirectoryUser, License, Removal, RemovalStatus, Subscription
from subscriptions.policy.decision import Reason
from subscriptions.policy.facts import Channel
from subscriptions.selectors.batches import SubscriptionBatch
from subscriptions.selectors.rows import IS_SYNCING
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller, Scope
from tenants.models import Removals

MAX_USERS = 10_000


class RemovalOutcome(StrEnum):
    """What became of one user's license. REFUSED is said of a request alone, by whoever carries it out."""

    REMOVED = "REMOVED"
    NOT_ASSIGNED = "NOT_ASSIGNED"
    NOT_FOUND = "NOT_FOUND"
    GROUP_INHERITED = "GROUP_INHERITED"
    STILL_ASSIGNED_BY_GROUP = "STILL_ASSIGNED_BY_GROUP"
    DUPLICATE = "DUPLICATE"
    REQUESTED = "REQUESTED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class UserRemoval:
    """The outcome for one entry of the call, in its order.

    ``user``: the row's id, 0 where there is none. ``group_names``: who still hands the license out.
    """

    user_id: str
    outcome: RemovalOutcome
    user: int = 0
    group_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class RemovedUsers:
    """What a removal did, or would do. ``batch`` is what is true of the subscription after it.

    ``would_be``: in a dry run, what would be. ``request_id``: the RemovalRequest to follow, where somebody else carries
    it out: the latest, where it joins more than one.
    """

    removals: Sequence[UserRemoval]
    batch: SubscriptionBatch
    would_be: SubscriptionBatch | None = None
    request_id: int | None = None

    @cached_property
    def users(self) -> Mapping[int, DirectoryUser]:
        """The users themselves, for an answer that shows them."""
        users: dict[int, DirectoryUser] = {}
        for chunk in chunks(sorted({removal.user for removal in self.removals if removal.user})):
            users |= DirectoryUser.objects.filter(tenant=self.batch.rows[0].tenant_id).in_bulk(chunk)
        return users


@dataclass(slots=True)
class _Plan:
    """What is about to change, collected before anything does: licenses.

    ``lost`` are taken away, of which ``only_direct`` counts those that no group hands out; ``pending`` are those whose
    removal is under way.
    """

    is_local: bool
    removals: list[UserRemoval] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    only_direct: int = 0


def remove_users(
    *,
    caller: Caller,
    subscription_id: int,
    users: Sequence[tuple[str, int]],
    dry_run: bool,
    idempotency_key: str | None,
    language: str,
    now: datetime,
) -> RemovedUsers:
    """Unassign the licenses of these users from one subscription: one outcome per user, never all or nothing.

    ``users`` are pairs of the id as the caller wrote it and the row's id. Deletes nobody; a license inherited
    from a group cannot be removed here. Where the tenant's host or a connection carries removals out, a license counts
    until that is confirmed, and who asks again joins what is under way. Repeating a call is harmless; ``dry_run``
    answers the same and changes nothing, and is counted apart. Raises NotFound, NotPermitted, RouteNotAvailable, SyncRunning, TooManyUsers,
    IdempotencyKeyReused, InputInvalid.
    """
    with one_transaction():
        of = (caller, subscription_id, Scope.REMOVE_USERS, "subscriptionId")
        subscription = locked_subscription(*of, dry_run=dry_run)
        if len(users) > MAX_USERS:
            raise TooManyUsers("userIds", limit=MAX_USERS)
        written = [text for text, _ in users]
        call = IdempotentCall.of(
            subscription.tenant_id,
            "removeUsers",
            None if dry_run else idempotency_key,
            now,
            subscription=subscription_id,
            users=written,
        )
        if known := call.answered():
            return _replayed(known, SubscriptionBatch.get(caller, subscription.pk, now))
        _require_open(subscription, now)
        plan = _plan(subscription, users)
        if dry_run:
            batch = SubscriptionBatch.get(caller, subscription.pk, now)
            return RemovedUsers(plan.removals, batch, would_be=_would_be(batch, plan))
        request_id = _write(caller, subscription, plan, language, now)
        kept = [[r.user_id, r.user, r.outcome, r.group_names] for r in plan.removals]
        call.remember({"users": kept, "request": request_id})
        return RemovedUsers(plan.removals, SubscriptionBatch.get(caller, subscription.pk, now), request_id=request_id)


def _require_open(subscription: Subscription, now: datetime) -> None:
    """Users can be removed from any subscription in service that no partner manages, whatever its route."""
    if subscription.channel == Channel.PARTNER:
        raise RouteNotAvailable("subscriptionId", reason=Reason.PARTNER_MANAGED)
    in_service = Subscription.objects.filter(pk=subscription.pk).in_service(now)
    is_syncing = in_service.values_list(IS_SYNCING, flat=True).first()
    if is_syncing:
        raise SyncRunning
    if is_syncing is None:
        reason = Reason.ALREADY_CANCELED if subscription.canceled_mode else Reason.ALREADY_ENDED
        raise RouteNotAvailable("subscriptionId", reason=reason)


def _plan(subscription: Subscription, users: Sequence[tuple[str, int]]) -> _Plan:
    ids = list(dict.fromkeys(pk for _, pk in users))
    known, licenses = set[int](), dict[int, tuple[int, bool, bool, bool]]()
    for chunk in chunks(ids):
        of_subscription = FilteredRelation("licenses", condition=Q(licenses__subscription=subscription))
        there = DirectoryUser.objects.filter(tenant=subscription.tenant_id, pk__in=chunk).alias(one=of_subscription)
        for user, deleted_at, license, is_direct, is_inherited, requested_at in there.values_list(
            "pk", "deleted_at", "one__pk", "one__is_direct", "one__is_inherited", "one__removal_requested_at"
        ):
            known.add(user)
            if deleted_at is None and (is_direct or is_inherited):
                licenses[user] = (license, is_direct, is_inherited, requested_at is not None)
    groups = _group_names([license for license, _, is_inherited, _ in licenses.values() if is_inherited])
    plan, seen = _Plan(subscription.tenant.removals == Removals.LOCAL), set[int]()
    for written, pk in users:
        if pk not in known:
            removal = UserRemoval(written, RemovalOutcome.NOT_FOUND)
        elif pk in seen:
            removal = UserRemoval(written, RemovalOutcome.DUPLICATE, pk)
        elif pk not in licenses:
            removal = UserRemoval(written, RemovalOutcome.NOT_ASSIGNED, pk)
        else:
            found, is_direct, is_inherited, is_pending = licenses[pk]
            outcome = _outcome(plan.is_local, is_direct, is_inherited)
            removal = UserRemoval(written, outcome, pk, groups.get(found, ()))
            if is_pending:
                plan.pending.append(found)
            if is_direct and (plan.is_local or not is_pending):
                plan.lost.append(found)
                plan.only_direct += not is_inherited
        seen.add(pk)
        plan.removals.append(removal)
    return plan


def _outcome(is_local: bool, is_direct: bool, is_inherited: bool) -> RemovalOutcome:
    if is_direct and not is_local:
        return RemovalOutcome.REQUESTED
    if not is_inherited:
        return RemovalOutcome.REMOVED
    return RemovalOutcome.STILL_ASSIGNED_BY_GROUP if is_direct else RemovalOutcome.GROUP_INHERITED


def _group_names(license_ids: Sequence[int]) -> Mapping[int, tuple[str, ...]]:
    names: dict[int, list[str]] = defaultdict(list)
    for chunk in chunks(license_ids):
        pairs = License.groups.through.objects.filter(license__in=chunk).order_by("directorygroup__name")
        for license_id, name in pairs.values_list("license", "directorygroup__name"):
            names[license_id].append(name)
    return {pk: tuple(of_one) for pk, of_one in names.items()}


def _write(caller: Caller, subscription: Subscription, plan: _Plan, language: str, now: datetime) -> int | None:
    """Take the licenses away, or have that asked of whoever does it: then the request to follow."""
    if plan.is_local:
        if plan.lost:
            _take_away(plan, now)
            _audit(caller, subscription, plan, language, now)
        return None
    if plan.lost:
        return request_removals(caller, subscription, plan.lost, language, now).pk
    return latest_request(plan.pending)


def _take_away(plan: _Plan, now: datetime) -> None:
    for chunk in chunks(plan.lost):
        License.objects.filter(pk__in=chunk).update(
            is_direct=False, removed_at=now, removed_here=True, contradicted_at=None
        )
    # Of when somebody else still did it.
    for chunk in chunks(plan.pending):
        License.objects.filter(pk__in=chunk).update(removal_requested_at=None)
        still_open = Removal.objects.filter(license__in=chunk, status=RemovalStatus.REQUESTED)
        still_open.update(status=RemovalStatus.CONFIRMED, decided_at=now)


def _would_be(batch: SubscriptionBatch, plan: _Plan) -> SubscriptionBatch:
    [row] = batch.rows
    if plan.is_local:
        return batch.pretending(row.pk, removed=plan.only_direct)
    return batch.pretending(row.pk, requested=plan.only_direct)


def _replayed(known: Any, batch: SubscriptionBatch) -> RemovedUsers:
    # Before removals could be requested a list was kept, for as long as keys are.
    users, request_id = (known, None) if isinstance(known, list) else (known["users"], known["request"])
    removals = [UserRemoval(text, RemovalOutcome(outcome), pk, tuple(groups)) for text, pk, outcome, groups in users]
    return RemovedUsers(removals, batch, request_id=request_id)


def _audit(caller: Caller, subscription: Subscription, plan: _Plan, language: str, now: datetime) -> None:
    event = record(
        tenant_id=subscription.tenant_id,
        at=now,
        action=Action.USERS_REMOVED,
        subject=f"Subscription:{subscription.pk}",
        caller=caller,
        language=language,
        data={"licenses": plan.lost, "removed": plan.only_direct},
        personal={"name": caller.name, "email": caller.email},
    )
    publish_users_removed(subscription, plan.only_direct, event.position, now)
