"""What a cancellation keeps of who asked for it, and of what was so a month before."""

from __future__ import annotations

from datetime import timedelta

import pytest

from subscriptions.cancellations.service import cancel_subscription
from subscriptions.models import License, Subscription
from subscriptions.models.cancellations import Cancellation
from subscriptions.policy.facts import Mode
from subscriptions.selectors.cancellations import requested_by
from tenants.callers import Caller, Scope
from tenants.tokens import caller_of_token
from tests.builders import NOW
from tests.subscriptions.test_lifecycle import cancel, quote_of
from tests.world import World

pytestmark = pytest.mark.django_db
MONTH = timedelta(days=30)


def partner_of(world: World, *scopes: Scope) -> Caller:
    caller = caller_of_token(world.token(*scopes), NOW)
    assert caller
    return caller


def canceled_by(world: World, caller: Caller) -> Cancellation:
    subscription = world.subscription()
    made = cancel_subscription(
        caller=caller, subscription_id=subscription.pk, quote_id=quote_of(world, subscription, Mode.IMMEDIATE, NOW),
        idempotency_key=None, language="en", now=NOW,
    ).cancellation  # fmt: skip
    return Cancellation.objects.get(pk=made.pk)


def test_a_cancellation_by_a_partner_names_its_token_and_no_person(world: World) -> None:
    partner = partner_of(world, Scope.CANCEL)
    cancellation = canceled_by(world, partner)
    assert (cancellation.requested_by_token_id, cancellation.requested_by_user_id) == (partner.id, None)
    assert (requested_by(cancellation), cancellation.by_staff) == ("Partner", False)


def test_a_cancellation_by_a_person_names_that_person_and_no_token(world: World) -> None:
    cancellation = canceled_by(world, world.caller())
    assert (cancellation.requested_by_token_id, cancellation.requested_by_user_id) == (None, world.admin.pk)
    assert (requested_by(cancellation), cancellation.by_staff) == (world.admin.display_name, False)


def licenses_before(world: World, subscription: Subscription) -> int:
    return cancel(world, subscription).licenses_30_days_before


@pytest.mark.parametrize(
    ("assigned_before", "counted"),
    [(MONTH + timedelta(hours=1), 3), (MONTH, 3), (MONTH - timedelta(seconds=1), 0)],
    ids=["longer ago", "30 days ago", "a second later"],
)
def test_licenses_that_were_assigned_30_days_before_are_evidence(
    world: World, assigned_before: timedelta, counted: int
) -> None:
    subscription = world.subscription(3)
    License.objects.update(assigned_at=NOW - assigned_before)
    assert licenses_before(world, subscription) == counted


@pytest.mark.parametrize(
    ("removed_before", "counted"),
    [(MONTH - timedelta(hours=1), 3), (MONTH, 2), (MONTH + timedelta(hours=1), 2)],
    ids=["later", "30 days ago", "longer ago"],
)
def test_a_license_that_was_removed_since_then_is_evidence_too(
    world: World, removed_before: timedelta, counted: int
) -> None:
    subscription = world.subscription(2)
    [removed] = world.assign(subscription, 1)
    License.objects.update(assigned_at=NOW - 2 * MONTH)
    License.objects.filter(pk=removed.pk).update(is_direct=False, removed_at=NOW - removed_before)
    assert licenses_before(world, subscription) == counted
