"""A Stripe of our own, chosen and configured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.billing.fake_stripe import SECRET, SUBSCRIPTION, FakeStripe, fake_stripe


@pytest.fixture
def server(settings: Any) -> Iterator[FakeStripe]:
    with fake_stripe() as found:
        settings.WAYOUT_STRIPE_URL, settings.WAYOUT_STRIPE_KEY = found.url, "sk_test_1"
        settings.WAYOUT_PROVIDER, settings.WAYOUT_STRIPE_WEBHOOK_SECRET = "stripe", SECRET
        found.subscribe(SUBSCRIPTION)
        yield found
