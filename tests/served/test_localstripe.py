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

from billing.money import Money
from billing.providers.base import Order, Outcome
from billing.providers.stripe import Stripe
from tests.builders import NOW

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


def test_a_charge_is_refunded_and_the_refund_found(url: str, settings: Any) -> None:
    settings.WAYOUT_STRIPE_URL, settings.WAYOUT_STRIPE_KEY = url, "sk_test_smoke"
    client: Any = stripe.StripeClient("sk_test_smoke", base_addresses={"api": url}, max_network_retries=0)
    card = {"object": "card", "number": "4242424242424242", "exp_month": 12, "exp_year": 2030, "cvc": "123"}
    customer = client.v1.customers.create({"email": "ada@contoso.example"})
    client.v1.customers.payment_sources.create(customer.id, {"source": card})
    charge = client.v1.charges.create({"amount": 2000, "currency": "eur", "customer": customer.id})
    order = Order("part-1", 1, charge.id, Money(500, "EUR"), "Product", NOW)
    assert Stripe().find(order) is None
    paid = Stripe().refund(order)
    assert (paid.outcome, paid.reference[:3]) == (Outcome.SUCCEEDED, "re_")
    assert Stripe().find(order) == paid
