"""Stripe's own ways: what it refuses, signs and says by itself."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import stripe
from django.test import Client, override_settings
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from billing.models import Agreement, Charge, Refund
from billing.money import Money
from billing.providers import provider as provider_called
from billing.providers.base import RefundOutcome, RefundRequest
from billing.refunds.requests import refund_by_hand
from outbox.worker import work_off
from tenants.people import SYSTEM
from tests.billing.fake_stripe import SECRET, FakeStripe
from tests.builders import NOW
from tests.reconciling import findings
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture
def refund_request(world: World) -> RefundRequest:
    charge = world.charge(world.subscription(charged=None), external_id="ch_1")
    return RefundRequest("part-1", charge.pk, "ch_1", Money(500, "EUR"), Money(500, "EUR"), "Product", NOW)


def test_what_stripe_refuses_is_failed(server: FakeStripe, refund_request: RefundRequest) -> None:
    server.troubles.append("refuse")
    assert provider_called("stripe").refund(refund_request).failure == "charge_already_refunded"


def test_stripe_stops_without_prorating_by_itself(server: FakeStripe) -> None:
    provider_called("stripe").stop_at_period_end("sub_11111111")
    assert server.subscriptions["sub_11111111"]["cancel_at_period_end"]
    provider_called("stripe").stop_now("sub_11111111")
    assert server.subscriptions["sub_11111111"]["status"] == "canceled"


def signed(payload: str, at: float | None = None, secret: str = SECRET) -> Any:
    stamp = int(at or time.time())
    signature = stripe.WebhookSignature._compute_signature(f"{stamp}.{payload}", secret)  # type: ignore[no-untyped-call]
    headers = {"Stripe-Signature": f"t={stamp},v1={signature}"}
    return Client().post("/webhooks/stripe/", payload, content_type="application/json", headers=headers)


def hook(kind: str, body: dict[str, Any], *, at: float | None = None, secret: str = SECRET, **more: Any) -> Any:
    event = {"id": "evt_1", "object": "event", "type": kind, "data": {"object": body}, **more}
    return signed(json.dumps(event), at, secret)


@pytest.fixture
def pending(server: FakeStripe, world: World) -> Refund:
    """A refund that Stripe has taken and not settled."""
    from tests.subscriptions.test_lifecycle import cancel

    subscription = world.subscription()
    Agreement.objects.filter(pk=subscription.agreement_id).update(provider="stripe", external_id="sub_11111111")
    cancel(world, subscription)
    server.troubles.extend(["", "pending"])
    work_off(lambda: NOW)
    work_off(lambda: NOW + timedelta(hours=73))
    [refund] = Refund.objects.all()
    return refund


def test_stripe_end_to_end(pending: Refund, server: FakeStripe) -> None:
    if pending.status == "SUBMITTED":
        [at_stripe] = server.refunds
        assert at_stripe["metadata"] == {"wayout_part": str(pending.parts.get().pk)}
        at_stripe["status"] = "succeeded"
        for kind in ("refund.created", "refund.updated", "refund.updated", "charge.refund.updated"):
            assert hook(kind, at_stripe).status_code == 200
    pending.refresh_from_db()
    assert pending.status == "SUCCEEDED"
    assert len(server.refunds) == 1
    assert server.subscriptions["sub_11111111"]["status"] == "canceled"
    # Stripe says the subscription is back: it is not.
    assert (
        hook(
            "customer.subscription.updated", {"id": "sub_11111111", "object": "subscription", "status": "active"}
        ).status_code
        == 200
    )
    assert pending.cancellations.get().undone_at is None


@pytest.mark.parametrize("wrong", ["secret", "old", "none", "body"])
def test_what_stripe_did_not_sign_is_refused(pending: Refund, server: FakeStripe, wrong: str, settings: Any) -> None:
    before = pending.status
    body = {
        "object": "refund",
        "id": "re_9",
        "status": "failed",
        "metadata": {"wayout_part": str(pending.parts.get().pk)},
    }
    if wrong == "secret":
        answer = hook("refund.failed", body, secret="whsec_other")
    elif wrong == "old":
        answer = hook("refund.failed", body, at=time.time() - 600)
    elif wrong == "none":
        settings.WAYOUT_STRIPE_WEBHOOK_SECRET = ""
        answer = hook("refund.failed", body)
    else:
        answer = Client().post("/webhooks/stripe/", b"\xff", content_type="application/json")
    assert answer.status_code == 400
    pending.refresh_from_db()
    assert pending.status == before


def test_unknown_events_and_refunds_of_others_are_answered_and_change_nothing(pending: Refund) -> None:
    before = pending.status
    other = {"object": "refund", "id": "re_9", "status": "failed", "metadata": {}}
    strange = {"object": "refund", "id": "re_9", "status": "failed", "metadata": {"wayout_part": "not one of ours"}}
    for kind, body in (
        ("mandate.updated", {"object": "mandate"}),
        ("refund.failed", other),
        ("refund.failed", strange),
    ):
        assert hook(kind, body).status_code == 200
    pending.refresh_from_db()
    assert pending.status == before


def test_a_payment_that_settles_at_stripe_is_noted_once(server: FakeStripe, world: World) -> None:
    charge = world.charge(world.subscription(charged=None), external_id="ch_5", charged=900, paid=100, in_flight=800)
    body = {"object": "charge", "id": "ch_5", "amount_captured": 900}
    for _ in range(2):
        assert hook("charge.succeeded", body).status_code == 200
    assert hook("charge.updated", {**body, "amount_captured": 200}).status_code == 200
    assert hook("charge.updated", {**body, "amount_captured": 9000}).status_code == 200
    charge.refresh_from_db()
    assert (charge.paid, charge.in_flight) == (900, 0)


STRANGE = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.integers(), max_size=2) | st.just({})
)
KINDS = st.sampled_from(
    ["refund.updated", "refund.failed", "charge.succeeded", "charge.updated", "charge.refund.updated"]
)


@given(
    KINDS, st.dictionaries(st.sampled_from(["id", "metadata", "status", "amount_captured", "failure_reason"]), STRANGE)
)
def test_an_event_with_fields_that_stripe_leaves_empty_is_answered(kind: str, fields: dict[str, Any]) -> None:
    with override_settings(WAYOUT_STRIPE_WEBHOOK_SECRET=SECRET):
        answer = hook(kind, {"object": kind.partition(".")[0], "id": "re_1", "amount_captured": 5, **fields})
    assert answer.status_code == 200


def test_a_refund_made_elsewhere_has_no_metadata(pending: Refund) -> None:
    before = pending.status
    for metadata in (None, [], "", {"wayout_part": None}, {"wayout_part": 7}):
        body = {"object": "refund", "id": "re_9", "status": "failed", "metadata": metadata}
        assert hook("refund.failed", body).status_code == 200
    pending.refresh_from_db()
    assert pending.status == before


@pytest.mark.parametrize(
    ("provider", "other", "paid"),
    [
        ("stripe", "ledger", [900, 100]),
        ("stripe", "stripe", [100, 100]),
        ("", "ledger", [900, 100]),
        ("", "", [100, 100]),
    ],
)
def test_a_payment_belongs_to_one_charge_of_its_provider(
    server: FakeStripe, world: World, provider: str, other: str, paid: list[int]
) -> None:
    mine, another = world, World.build()
    charges = []
    for owner, name in ((mine, provider), (another, other)):
        subscription = owner.subscription(charged=None)
        Agreement.objects.filter(pk=subscription.agreement_id).update(provider=name)
        charges.append(owner.charge(subscription, external_id="ch_5", charged=900, paid=100, in_flight=800))
    body = {"object": "charge", "id": "ch_5", "amount_captured": 900}
    # A payment in an account that is connected to ours is none of ours.
    assert hook("charge.succeeded", body, account="acct_9").status_code == 200
    assert set(Charge.objects.values_list("paid", flat=True)) == {100}
    assert hook("charge.succeeded", body).status_code == 200
    assert [Charge.objects.get(pk=charge.pk).paid for charge in charges] == paid
    said = [finding for finding in findings(NOW, ask_provider=False) if "ch_5" in finding]
    # Once because two go by one id, once because something was said of it.
    assert len(said) == (2 if paid == [100, 100] else 0)


@pytest.mark.parametrize(
    "payload",
    [
        "[]", "3", "null", '"x"', "{}", '{"type": "refund.failed"}', '{"type": "refund.failed", "data": null}',
        '{"type": "refund.failed", "data": {"object": []}}', '{"type": "charge.updated", "data": {"object": null}}',
        '{"type": 5, "data": {"object": {}}}', '{"object": "v2.core.event", "id": 7, "type": "v1.x"}',
        '{"type": "charge.updated", "data": {"object": {"id": "c\\u0000", "amount_captured": 5}}}',
        '{"type": "charge.updated", "data": {"object": {"id": "c", "amount_captured": true}}}',
        '{"type": "refund.failed", "data": {"object": {"id": "r\\u0000", "metadata": {"wayout_part": "\\u0000"}}}}',
    ],
)  # fmt: skip
def test_whatever_is_signed_is_answered(settings: Any, payload: str) -> None:
    settings.WAYOUT_STRIPE_WEBHOOK_SECRET = SECRET
    assert signed(payload).status_code == 200


def test_a_charge_may_go_by_the_id_of_its_payment(server: FakeStripe, world: World) -> None:
    charge = world.charge(world.subscription(charged=None), external_id="pi_5", charged=900, paid=0, in_flight=900)
    body = {"object": "charge", "id": "ch_77", "payment_intent": "pi_5", "amount_captured": 900}
    assert hook("charge.succeeded", body).status_code == 200
    charge.refresh_from_db()
    assert (charge.paid, charge.in_flight) == (900, 0)


IN_UNITS_OF_STRIPE = [("ISK", 900, 90000), ("UGX", 900, 90000), ("MGA", 900, 9), ("KWD", 900, 900)]


@pytest.mark.parametrize(("currency", "ours", "theirs"), IN_UNITS_OF_STRIPE)
def test_a_refund_is_sent_and_listed_in_units_of_stripe(
    server: FakeStripe, refund_request: RefundRequest, currency: str, ours: int, theirs: int
) -> None:
    server.charges["ch_1"] = {"object": "charge", "id": "ch_1", "currency": currency.lower()}
    money = Money(ours, currency)
    asked = replace(refund_request, amount=money, promised=money)
    assert provider_called("stripe").refund(asked).outcome is RefundOutcome.SUCCEEDED
    assert server.refunds[0]["amount"] == theirs
    pages = provider_called("stripe").refunds_between(NOW - timedelta(days=9999), NOW + timedelta(days=9999))
    assert [refund.amount for page in pages or () for refund in page.refunds] == [money]


@pytest.mark.parametrize(("currency", "ours", "theirs"), IN_UNITS_OF_STRIPE)
def test_what_stripe_says_of_a_charge_is_in_units_of_stripe(
    server: FakeStripe, world: World, currency: str, ours: int, theirs: int
) -> None:
    subscription = world.subscription(charged=None)
    given = {"external_id": "ch_5", "currency": currency, "charged": ours, "paid": 0, "in_flight": ours}
    charge = world.charge(subscription, **given)
    said = {"id": "ch_5", "currency": currency.lower(), "object": "charge", "amount_captured": theirs}
    assert hook("charge.succeeded", said).status_code == 200
    returned = {"currency": currency.lower(), "charge": "ch_5", "amount": theirs, "created": 1}
    assert hook("refund.created", {**returned, "id": "re_5", "status": "succeeded"}).status_code == 200
    assert hook("charge.dispute.created", {**returned, "id": "dp_5", "status": "lost"}).status_code == 200
    charge.refresh_from_db()
    assert (charge.paid, charge.returned_elsewhere, charge.disputed) == (ours, ours, ours)
    assert hook("charge.refunded", {**said, "id": "ch_5", "amount_refunded": theirs}).status_code == 200
    charge.refresh_from_db()
    assert charge.returned_elsewhere == ours


@pytest.mark.parametrize(("currency", "amount"), [("KWD", 501), ("MGA", 550)])
@pytest.mark.parametrize(
    ("language", "said"), [("en", "Settle the refund by hand"), ("bg", "Уредете възстановяването")]
)
def test_staff_read_why_stripe_cannot_pay(
    server: FakeStripe, world: World, currency: str, amount: int, language: str, said: str
) -> None:
    charge = world.charge(world.subscription(charged=None), external_id="ch_1", currency=currency)
    refund_by_hand(charge=charge, amount=amount, reason="goodwill", due_by=NOW.date(), caller=SYSTEM, now=NOW)
    work_off(lambda: NOW)
    refund = Refund.objects.get()
    assert (refund.status, server.refunds) == ("FAILED", [])
    client = Client()
    client.force_login(world.person(None, is_staff=True, is_superuser=True, language=language))
    assert said in client.get(reverse("admin:billing_refund_change", args=[refund.pk])).content.decode()
