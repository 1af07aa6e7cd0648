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
from subscriptions.errors import RouteNotAvailable, TooManyUsers
from subscriptions.events import publish_users_removed
from subscriptions.idempotency import IdempotentCall, one_transaction
from subscriptions.inputs import locked_subscription
from subscriptions.models import DirectoryUser, License, Subscription
from subscriptions.policy.decision import Reason
from subscriptions.policy.facts import Channel
from subscriptions.selectors.batches import SubscriptionBatch
from tenants.actions import Action
from tenants.audit import record
from tenants.callers import Caller, Scope

MAX_USERS = 10_000


class RemovalOutcome(StrEnum):
    """What became of one user's license."""

    REMOVED = "REMOVED"
    NOT_ASSIGNED = "NOT_ASSIGNED"
    NOT_FOUND = "NOT_FOUND"
    GROUP_INHERITED = "GROUP_INHERITED"
    STILL_ASSIGNED_BY_GROUP = "STILL_ASSIGNED_BY_GROUP"
    DUPLICATE = "DUPLICATE"


@dataclass(frozen=True, slots=True)
class Removal:
    """The outcome for one entry of the call, in its order.

    ``user``: the row's id, 0 where there is none. ``group_names``: who still hands the license out.
    """

    user_id: str
    outcome: RemovalOutcome
    user: int = 0
    group_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class RemovedUsers:
    """What a removal did, or would do; the batch decides on the subscription as it then stands."""

    removals: Sequence[Removal]
    batch: SubscriptionBatch

    @cached_property
    def users(self) -> Mapping[int, DirectoryUser]:
        """The users themselves, for an answer that shows them."""
        users: dict[int, DirectoryUser] = {}
        for chunk in chunks(sorted({removal.user for removal in self.removals if removal.user})):
            users |= DirectoryUser.objects.filter(tenant=self.batch.rows[0].tenant_id).in_bulk(chunk)
        return users


@dataclass(slots=True)
class _Plan:
    """What is about to change, collected before anything does."""

    removals: list[Removal] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
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
    from a group cannot be removed here. Repeating a call is harmless; ``dry_run`` answers the same and changes
    nothing, and is counted apart. Raises NotFound, NotPermitted, RouteNotAvailable, TooManyUsers, IdempotencyKeyReused, InputInvalid.
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
            return _answer(caller, subscription, _replayed(known), now)
        _require_open(subscription, now)
        plan = _plan(subscription, users)
        if dry_run:
            return _answer(caller, subscription, plan.removals, now, minus=plan)
        if plan.lost:
            _take_away(plan.lost, now)
            _audit(caller, subscription, plan, language, now)
        call.remember([[r.user_id, r.user, r.outcome, r.group_names] for r in plan.removals])
        return _answer(caller, subscription, plan.removals, now)


def _require_open(subscription: Subscription, now: datetime) -> None:
    """Users can be removed from any subscription in service that no partner manages, whatever its route."""
    if subscription.channel == Channel.PARTNER:
        raise RouteNotAvailable("subscriptionId", reason=Reason.PARTNER_MANAGED)
    if not Subscription.objects.filter(pk=subscription.pk).in_service(now).exists():
        reason = Reason.ALREADY_CANCELED if subscription.canceled_mode else Reason.ALREADY_ENDED
        raise RouteNotAvailable("subscriptionId", reason=reason)


def _plan(subscription: Subscription, users: Sequence[tuple[str, int]]) -> _Plan:
    ids = list(dict.fromkeys(pk for _, pk in users))
    known, licenses = set[int](), dict[int, tuple[int, bool, bool]]()
    for chunk in chunks(ids):
        of_subscription = FilteredRelation("licenses", condition=Q(licenses__subscription=subscription))
        there = DirectoryUser.objects.filter(tenant=subscription.tenant_id, pk__in=chunk).alias(one=of_subscription)
        for user, deleted_at, license, is_direct, is_inherited in there.values_list(
            "pk", "deleted_at", "one__pk", "one__is_direct", "one__is_inherited"
        ):
            known.add(user)
            if deleted_at is None and (is_direct or is_inherited):
                licenses[user] = (license, is_direct, is_inherited)
    groups = _group_names([license for license, _, is_inherited in licenses.values() if is_inherited])
    plan, seen = _Plan(), set[int]()
    for written, pk in users:
        if pk not in known:
            removal = Removal(written, RemovalOutcome.NOT_FOUND)
        elif pk in seen:
            removal = Removal(written, RemovalOutcome.DUPLICATE, pk)
        elif pk not in licenses:
            removal = Removal(written, RemovalOutcome.NOT_ASSIGNED, pk)
        else:
            found, is_direct, is_inherited = licenses[pk]
            removal = Removal(written, _outcome(is_direct, is_inherited), pk, groups.get(found, ()))
            if is_direct:
                plan.lost.append(found)
                plan.only_direct += not is_inherited
        seen.add(pk)
        plan.removals.append(removal)
    return plan


def _outcome(is_direct: bool, is_inherited: bool) -> RemovalOutcome:
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


def _take_away(license_ids: Sequence[int], now: datetime) -> None:
    for chunk in chunks(license_ids):
        License.objects.filter(pk__in=chunk).update(is_direct=False, removed_at=now, removed_here=True)


def _answer(
    caller: Caller, subscription: Subscription, removals: Sequence[Removal], now: datetime, minus: _Plan | None = None
) -> RemovedUsers:
    """The options as they stand now, or as they would stand without the licenses of ``minus``."""
    batch = SubscriptionBatch.get(caller, subscription.pk, now)
    if minus is not None:
        batch.pretend_removed(subscription.pk, minus.only_direct)
    return RemovedUsers(removals, batch)


def _replayed(known: Sequence[Any]) -> list[Removal]:
    return [Removal(text, RemovalOutcome(outcome), pk, tuple(groups)) for text, pk, outcome, groups in known]


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
