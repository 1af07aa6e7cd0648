"""Over real HTTP against localstripe in its own process: a smoke test.

Its known faults: it ignores idempotency keys (the same key pays twice) and lets a charge be refunded beyond its
amount. So nothing here relies on either; that is what the contract suite is for.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe
from django.db import transaction

from billing.money import Money
from billing.providers import provider
from billing.providers.base import ProviderRefused, RefundOutcome, RefundRequest
from billing.renewal import set_provider_id
from billing.renewal_stop import RenewalStop
from subscriptions.cancellations.service import undo_cancellation
from subscriptions.policy.facts import Mode
from tenants.people import SYSTEM
from tests.builders import NOW
from tests.reconciling import findings
from tests.subscriptions.test_lifecycle import after, cancel, work
from tests.world import World

pytestmark = pytest.mark.long
HOME = Path(__file__).resolve().parents[2] / ".venv" / "localstripe"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """localstripe, installed beside our own environment because its pins are not ours."""
    if not (HOME / "bin" / "localstripe").exists():
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True)
        subprocess.run([str(HOME / "bin" / "pip"), "install", "-q", "localstripe==1.15.10"], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [str(HOME / "bin" / "localstripe"), "--port", str(port), "--from-scratch"],
        cwd=HOME, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.mark.django_db
def test_a_subscription_stops_and_goes_on_there(url: str, settings: Any, world: World) -> None:
    settings.WAYOUT_STRIPE_URL, settings.WAYOUT_STRIPE_KEY, settings.WAYOUT_PROVIDER = url, "sk_test_smoke", "stripe"
    client: Any = stripe.StripeClient("sk_test_smoke", base_addresses={"api": url}, max_network_retries=0)
    card = {"object": "card", "number": "4242424242424242", "exp_month": 12, "exp_year": 2030, "cvc": "123"}
    customer = client.v1.customers.create({"email": "grace@contoso.example"})
    client.v1.customers.payment_sources.create(customer.id, {"source": card})
    plan = {"id": "e3", "amount": 2000, "currency": "eur", "interval": "month", "product": {"name": "E3"}}
    client.raw_request("post", "/v1/plans", **plan)
    at_stripe = client.v1.subscriptions.create({"customer": customer.id, "items": [{"plan": "e3"}]})
    subscription = world.subscription()
    with transaction.atomic():
        set_provider_id(
            agreement=subscription.agreement, provider="stripe", external_id=at_stripe.id, caller=SYSTEM,
            language="en", now=NOW,
        )  # fmt: skip

    def ends() -> bool:
        return bool(client.v1.subscriptions.retrieve(at_stripe.id).cancel_at_period_end)

    cancellation = cancel(world, subscription)
    work(after(minutes=1))
    assert ends()
    undo_cancellation(caller=world.caller(), cancellation_id=cancellation.pk, language="en", now=after(hours=1))
    work(after(hours=1))
    assert not ends()
    # It has no list of all refunds, only of those of a charge: what Stripe lists is compared with the fake.
    wrong = [finding for finding in findings(after(hours=1)) if "what it says was not compared" not in finding]
    assert wrong == []
    cancel(world, subscription, Mode.AT_PERIOD_END, at=after(hours=2))
    work(after(hours=2))
    assert ends()
    assert provider("stripe").renewal_stop(at_stripe.id) is RenewalStop.AT_PERIOD_END
    provider("stripe").stop_now(at_stripe.id)
    provider("stripe").stop_now(at_stripe.id)
    assert provider("stripe").renewal_stop(at_stripe.id) is RenewalStop.NOW
    with pytest.raises(ProviderRefused):
        provider("stripe").go_on("sub_nobody")


def test_a_charge_is_refunded_and_the_refund_found(url: str, settings: Any) -> None:
    settings.WAYOUT_STRIPE_URL, settings.WAYOUT_STRIPE_KEY = url, "sk_test_smoke"
    client: Any = stripe.StripeClient("sk_test_smoke", base_addresses={"api": url}, max_network_retries=0)
    card = {"object": "card", "number": "4242424242424242", "exp_month": 12, "exp_year": 2030, "cvc": "123"}
    customer = client.v1.customers.create({"email": "ada@contoso.example"})
    client.v1.customers.payment_sources.create(customer.id, {"source": card})
    charge = client.v1.charges.create({"amount": 2000, "currency": "eur", "customer": customer.id})
    refund_request = RefundRequest("part-1", 1, charge.id, Money(500, "EUR"), Money(500, "EUR"), "Product", NOW)
    assert provider("stripe").find(refund_request) is None
    paid = provider("stripe").refund(refund_request)
    assert (paid.outcome, paid.reference[:3]) == (RefundOutcome.SUCCEEDED, "re_")
    assert provider("stripe").find(refund_request) == paid
