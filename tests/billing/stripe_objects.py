"""Objects of Stripe as its API reference describes them, and its events about them, signed."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import stripe
from django.test import Client

from tests.billing.fake_stripe import SECRET

_numbers = itertools.count(1)


def charge(number: str, amount: int, *, captured: int | None = None, refunded: int = 0, **more: Any) -> dict[str, Any]:
    captured = amount if captured is None else captured
    return {
        "id": number, "object": "charge", "amount": amount, "amount_captured": captured, "amount_refunded": refunded,
        "captured": captured > 0, "currency": "eur", "disputed": False, "metadata": {}, "payment_intent": None,
        "refunded": refunded >= amount, "status": "succeeded", **more,
    }  # fmt: skip


def refund(charge: str, amount: int, *, status: str = "succeeded", number: str = "", **more: Any) -> dict[str, Any]:
    """One that somebody made in the dashboard: nothing of ours is in its metadata."""
    return {
        "id": number or f"re_{next(_numbers)}", "object": "refund", "amount": amount, "charge": charge, "currency": "eur",
        "metadata": {}, "payment_intent": None, "reason": "requested_by_customer", "status": status, **more,
    }  # fmt: skip


def dispute(
    charge: str, amount: int, *, status: str = "needs_response", number: str = "", **more: Any
) -> dict[str, Any]:
    return {
        "id": number or f"dp_{next(_numbers)}", "object": "dispute", "amount": amount, "charge": charge, "currency": "eur",
        "metadata": {}, "payment_intent": None, "reason": "general", "status": status, **more,
    }  # fmt: skip


def say(kind: str, body: dict[str, Any], *, at: float | None = None, **more: Any) -> int:
    """Have Stripe say so; the status that it was answered. ``at``: when the event was made, in seconds."""
    event = {
        "id": f"evt_{next(_numbers)}", "object": "event", "api_version": "2025-09-30.clover", "type": kind,
        "created": int(at or time.time()), "data": {"object": body}, "livemode": False, **more,
    }  # fmt: skip
    return post(json.dumps(event))


def post(payload: str, at: float | None = None, secret: str = SECRET) -> int:
    """Sign it, as of ``at`` in seconds, and hand it to the webhook."""
    stamp = int(at or time.time())
    signature = stripe.WebhookSignature._compute_signature(f"{stamp}.{payload}", secret)  # type: ignore[no-untyped-call]
    headers = {"Stripe-Signature": f"t={stamp},v1={signature}"}
    answer = Client().post("/webhooks/stripe/", payload, content_type="application/json", headers=headers)
    return answer.status_code
