"""Two services that lock the same rows: whoever comes first, nobody waits in a ring, and both have happened."""

from __future__ import annotations

import time
from typing import Any

import pytest

from billing.elsewhere import look
from billing.models import Agreement, Refund
from billing.refunds.requests import settle_by_hand
from billing.selectors import lock_agreement
from outbox.worker import work_off
from subscriptions.cancellations.service import submit_cancellation_feedback
from subscriptions.errors import QuoteChanged, RouteNotAvailable
from subscriptions.models import Cancellation, Subscription
from subscriptions.models.cancellations import Feedback
from tenants.people import SYSTEM
from tenants.verification import verify
from tests.providers import TestProvider, used
from tests.races.test_races import cancel, quote
from tests.races.together import together
from tests.world import World, later

pytestmark = pytest.mark.django_db(transaction=True)
TURNS = 8


def test_settled_by_hand_while_the_customer_says_why() -> None:
    """Both write the cancellation, then the tenant's trail."""
    world = World.build()
    for number in range(TURNS):
        subscription = world.subscription()
        cancel(world, subscription, quote(world, subscription), f"{number}")
    refunds, cancellations = list(Refund.objects.order_by("pk")), list(Cancellation.objects.order_by("pk"))

    def act(number: int) -> Any:
        if number % 2:
            return settle_by_hand(refund=refunds[number // 2], reason="by bank", caller=SYSTEM, now=later(hours=1))
        return submit_cancellation_feedback(
            caller=world.caller(), cancellation_id=cancellations[number // 2].pk, feedback=Feedback.OTHER,
            comment="", language="en", now=later(hours=1),
        )  # fmt: skip

    answers = together(2 * TURNS, act)
    assert [answer for answer in answers if isinstance(answer, Exception)] == []
    assert set(Refund.objects.values_list("status", flat=True)) == {"SETTLED_MANUALLY"}
    said = Cancellation.objects.values_list("feedback", "undo_until").distinct()
    assert list(said) == [(Feedback.OTHER.value, later(hours=1))]
    assert list(verify(world.tenant.pk)) == []


def test_canceled_while_the_provider_is_asked_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has ended there: either that is what happened, or the cancellation is; never both, and never neither."""

    def lock_and_wait(pk: int) -> Agreement:
        agreement = lock_agreement(pk)
        time.sleep(0.05)
        return agreement

    # So long that whoever cancels has locked what comes before the agreement.
    monkeypatch.setattr("billing.elsewhere.lock_agreement", lock_and_wait)
    world = World.build()
    subscriptions = [world.subscription() for _ in range(TURNS)]
    for subscription in subscriptions:
        external_id = f"sub_{chr(97 + subscription.pk % 26)}{subscription.pk}"
        Agreement.objects.filter(pk=subscription.agreement_id).update(provider="stripe", external_id=external_id)
    quoted = [quote(world, subscription) for subscription in subscriptions]

    def act(number: int) -> Any:
        turn = number // 2
        if number % 2:
            return cancel(world, subscriptions[turn], quoted[turn], f"{turn}")
        return look({"agreement": subscriptions[turn].agreement_id}, later(minutes=1))

    with used(TestProvider()) as provider:
        provider.stopped = [("stop now", found) for found in Agreement.objects.values_list("external_id", flat=True)]
        answers = together(2 * TURNS, act)
        work_off(lambda: later(minutes=2))
    wrong = [answer for answer in answers if isinstance(answer, Exception)]
    assert {type(error) for error in wrong} <= {RouteNotAvailable, QuoteChanged}
    canceled = set(Cancellation.objects.values_list("subscription", flat=True))
    ended = set(Subscription.objects.exclude(ended_source="").values_list("pk", flat=True))
    assert canceled | ended == {subscription.pk for subscription in subscriptions}
    assert not canceled & ended
    assert list(verify(world.tenant.pk)) == []
