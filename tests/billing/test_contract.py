"""Every provider of ours keeps what providers promise."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import stripe as library

from billing.models import RefundPart
from billing.money import Money
from billing.providers import provider as provider_called
from billing.providers import stripe
from billing.providers.base import Provider, RefundRequest, RefundResult
from billing.providers.contract import ProviderContract, Signed
from billing.refunds.results import order_of
from tests.billing.fake_stripe import SECRET, SUBSCRIPTION, FakeStripe
from tests.builders import NOW
from tests.providers import TestProvider
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World

pytestmark = pytest.mark.django_db


class TestLedger(ProviderContract):
    @pytest.fixture
    def provider(self) -> Provider:
        return provider_called("ledger")

    @pytest.fixture
    def refund_request(self, world: World) -> RefundRequest:
        charge = world.charge(world.subscription(charged=None), external_id="ch_1")
        return RefundRequest("part-1", charge.pk, "ch_1", Money(500, "EUR"), Money(500, "EUR"), "Product", NOW)

    @pytest.fixture
    def trouble(self) -> Callable[[str], None]:
        pytest.skip("its setting is for people: it asks nobody")


class TestOwed(ProviderContract):
    @pytest.fixture
    def provider(self) -> Provider:
        return provider_called("owed")

    @pytest.fixture
    def refund_request(self, world: World) -> RefundRequest:
        cancel(world, world.subscription())
        return order_of(RefundPart.objects.select_related("charge", "refund__agreement").get(), NOW)


class TestStripe(ProviderContract):
    patience = 2

    @pytest.fixture
    def provider(self, server: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> Provider:
        monkeypatch.setattr(stripe, "TIMEOUT", 0.5)
        return provider_called("stripe")

    @pytest.fixture
    def refund_request(self) -> RefundRequest:
        return RefundRequest("part-1", 1, "ch_1", Money(500, "EUR"), Money(500, "EUR"), "Product", NOW)

    @pytest.fixture
    def trouble(self, server: FakeStripe) -> Callable[[str], None]:
        return lambda what: server.troubles.append("429" if what == "throttled" else what)

    @pytest.fixture
    def subscription(self) -> str:
        return SUBSCRIPTION

    @pytest.fixture
    def signed(self) -> Signed:
        def made(refund_request: RefundRequest, result: RefundResult) -> tuple[bytes, dict[str, str]]:
            refund = {
                "object": "refund",
                "id": result.reference,
                "status": "succeeded",
                "metadata": {stripe.KEY: refund_request.key},
            }
            body = json.dumps({"id": "evt_1", "type": "refund.updated", "data": {"object": refund}})
            at = int(time.time())
            signature = library.WebhookSignature._compute_signature(f"{at}.{body}", SECRET)  # type: ignore[no-untyped-call]
            return body.encode(), {"Stripe-Signature": f"t={at},v1={signature}"}

        return made


class TestTestProvider(ProviderContract):
    @pytest.fixture
    def provider(self) -> Provider:
        return TestProvider()

    @pytest.fixture
    def trouble(self, provider: Any) -> Callable[[str], None]:
        return lambda what: provider.troubles.append("429" if what == "throttled" else what)

    @pytest.fixture
    def subscription(self, provider: Any) -> str:
        provider.unknown = {"sub_onex"}
        return "sub_one"
