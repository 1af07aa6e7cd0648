"""The example keeps what providers promise."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
import wayout_payouts
from fake_payouts import FakePayouts, fake_payouts
from wayout_payouts import KEY, URL, WEBHOOK_SECRET, Payouts, signature_of

from billing.providers.base import KeyRefused, NotSigned, Provider, RefundRequest, RefundResult
from billing.providers.contract import ProviderContract, Signed


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePayouts]:
    """Somebody to ask, who is not waited for as long as in earnest."""
    monkeypatch.setattr(wayout_payouts, "TIMEOUT", 0.5)
    with fake_payouts() as server:
        yield server


def payouts(service: FakePayouts, key: str = "the key") -> Payouts:
    """One that is configured."""
    return Payouts({URL: service.url, KEY: key, WEBHOOK_SECRET: "the secret"})


def said(payout: object, at: float | None = None) -> tuple[bytes, dict[str, str]]:
    """The body and headers of what the service signs."""
    body = json.dumps({"at": at or time.time(), "payout": payout}).encode()
    return body, {"Payouts-Signature": signature_of(body, "the secret")}


class TestPayouts(ProviderContract):
    """Everything that Wayout asks of a provider."""

    patience = 2

    @pytest.fixture
    def provider(self, service: FakePayouts) -> Provider:
        """One that works."""
        return payouts(service)

    @pytest.fixture
    def trouble(self, service: FakePayouts) -> Callable[[str], None]:
        """The next request meets it."""
        return service.troubles.append

    @pytest.fixture
    def signed(self) -> Signed:
        """What the service sends when a payout is there."""

        def made(refund_request: RefundRequest, result: RefundResult) -> tuple[bytes, dict[str, str]]:
            return said({"key": refund_request.key, "id": result.reference, "status": "paid"})

        return made

    def test_a_key_that_is_refused_is_said(self, service: FakePayouts, refund_request: RefundRequest) -> None:
        """Staff hear of it; it is no failure of the refund."""
        with pytest.raises(KeyRefused):
            payouts(service, key="another").refund(refund_request)


def test_what_was_signed_long_ago_is_refused(service: FakePayouts) -> None:
    """Nobody sends again what somebody else has heard."""
    with pytest.raises(NotSigned):
        payouts(service).read_webhook(*said({"key": "part-1", "id": "po_1", "status": "paid"}, at=time.time() - 600))


@pytest.mark.parametrize("payout", [None, [], "x", {}, {"key": "part-1"}])
def test_what_is_signed_and_no_payout_is_nothing_of_ours(service: FakePayouts, payout: object) -> None:
    """It raises nothing else."""
    assert list(payouts(service).read_webhook(*said(payout))) == []
