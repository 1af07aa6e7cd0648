"""A provider outside of Wayout: refunds go out over the HTTP API of a payout service. See docs/providers.md."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from billing.providers.base import (
    CreditForm,
    Declaration,
    KeyRefused,
    NotSigned,
    Provider,
    ProviderUnavailable,
    RefundOutcome,
    RefundRequest,
    RefundResult,
    RefundUpdate,
    Setting,
    Update,
)
from common.outbound import retry_after, session

URL, KEY, WEBHOOK_SECRET = "WAYOUT_PAYOUTS_URL", "WAYOUT_PAYOUTS_KEY", "WAYOUT_PAYOUTS_WEBHOOK_SECRET"
# Seconds for a whole call, whatever the other side does.
TIMEOUT = 10.0
# Seconds that what the service signed is good for.
TOLERANCE = 300
_OUTCOMES = {"paid": RefundOutcome.SUCCEEDED, "failed": RefundOutcome.FAILED}


class Payouts(Provider):
    """Bills nothing. A payout is addressed by our key, so the same one is never made twice."""

    declares = Declaration(
        name="payouts",
        credit=CreditForm.PAID_BACK,
        settings=(
            Setting(URL, "where the service is: https://payouts.example", is_required=True),
            Setting(KEY, "the key that it gave you", is_required=True, is_secret=True),
            Setting(WEBHOOK_SECRET, "what it signs with", is_secret=True),
        ),
    )

    def refund(self, refund_request: RefundRequest) -> RefundResult:
        """Make the payout; asked again, the service answers with the one that is there."""
        money = {"minor_units": refund_request.amount.minor_units, "currency": refund_request.amount.currency}
        said = self._ask(
            "PUT", refund_request.key, {"charge": refund_request.charge_id, "text": refund_request.text, **money}
        )
        if said is None:
            raise ProviderUnavailable("payouts: it has lost what it was given")
        return _result(said)

    def find(self, refund_request: RefundRequest) -> RefundResult | None:
        """The payout with our key."""
        said = self._ask("GET", refund_request.key)
        return _result(said) if said else None

    def read_webhook(self, body: bytes, headers: Mapping[str, str]) -> Sequence[Update]:
        """What became of a payout."""
        secret, signature = self.settings[WEBHOOK_SECRET], headers.get("Payouts-Signature", "")
        if not secret or not hmac.compare_digest(signature_of(body, secret).encode(), signature.encode()):
            raise NotSigned("payouts")
        try:
            said = json.loads(body)
            if not time.time() - TOLERANCE < said["at"] < time.time() + TOLERANCE:
                raise NotSigned("payouts")
            return [RefundUpdate(str(said["payout"]["key"]), _result(said["payout"]))]
        except (ValueError, KeyError, TypeError, ProviderUnavailable):
            return []

    def _ask(self, verb: str, key: str, body: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """What the service says of a payout; None where there is none. Everything unexpected tells nothing."""
        try:
            answer = session().request(
                verb,
                f"{self.settings[URL]}/payouts/{key}",
                json=body,
                headers={"Authorization": f"Bearer {self.settings[KEY]}"},
                timeout=TIMEOUT,
                allow_redirects=False,
            )
            if answer.status_code == 200:
                said: dict[str, Any] = answer.json()
                return said
        except requests.RequestException as error:
            raise ProviderUnavailable(f"payouts: {type(error).__name__}") from error
        if answer.status_code == 404:
            return None
        problem = f"payouts: HTTP {answer.status_code}"
        if answer.status_code in (401, 403):
            raise KeyRefused(problem)
        raise ProviderUnavailable(problem, retry_after(answer.headers.get("Retry-After", "")))


def signature_of(body: bytes, secret: str) -> str:
    """How the service signs."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _result(said: Mapping[str, Any]) -> RefundResult:
    try:
        outcome = _OUTCOMES.get(said["status"], RefundOutcome.PENDING)
        return RefundResult(outcome, str(said["id"]), str(said["reason"]) if outcome is RefundOutcome.FAILED else "")
    except (KeyError, TypeError) as error:
        raise ProviderUnavailable("payouts: an answer that is no payout") from error
