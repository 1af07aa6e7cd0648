"""What providers tell us by themselves. Verified here, handed down; a repeated or late word changes nothing."""

from __future__ import annotations

import json
import logging
from typing import Any

import stripe
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.charges import payment_settled
from billing.money import MAX_MINOR_UNITS
from billing.providers.stripe import key_of, result_of, text_of
from billing.refunds.results import record_provider_event

logger = logging.getLogger("wayout.webhooks")
# Seconds that a signature is good for.
_TOLERANCE = 300
_REFUNDS = ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated")
_PAYMENTS = ("charge.succeeded", "charge.updated")


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """400 for what Stripe did not sign (or signed more than five minutes ago), 200 for everything else.

    A subscription that ends at Stripe, or comes back there, moves nothing here: nothing but an undo revives.
    """
    secret, signature = settings.WAYOUT_STRIPE_WEBHOOK_SECRET, request.headers.get("Stripe-Signature", "")
    try:
        if not secret:
            raise ValueError("no secret is configured")
        payload = request.body.decode()
        stripe.WebhookSignature.verify_header(payload, signature, secret, _TOLERANCE)
        event = json.loads(payload)
    except (ValueError, RecursionError, stripe.SignatureVerificationError):
        return JsonResponse({"error": "not signed by Stripe"}, status=400)
    kind, body = _kind_and_object(event)
    taken = _take(kind, body)
    number = text_of(event.get("id")) if isinstance(event, dict) else ""
    logger.info("stripe event %s %s: %s", kind, number, "taken" if taken else "nothing of ours")
    return JsonResponse({"received": True})


def _kind_and_object(event: Any) -> tuple[str, dict[str, Any]]:
    """What an event says of what. What happened in an account connected to ours is none of our charges."""
    data = event.get("data") if isinstance(event, dict) and not event.get("account") else None
    body = data.get("object") if isinstance(data, dict) else None
    return (text_of(event.get("type")), body) if isinstance(body, dict) else ("", {})


def _take(kind: str, body: dict[str, Any]) -> bool:
    """Hand down what an event says, if its fields are what Stripe documents; False for anything else."""
    now = timezone.now()
    if kind in _REFUNDS and (key := key_of(body)) and (result := result_of(body)):
        return record_provider_event(key=key, result=result, now=now)
    ids = {found for name in ("id", "payment_intent") if (found := text_of(body.get(name)))}
    settled = body.get("amount_captured")
    if kind in _PAYMENTS and ids and type(settled) is int and 0 <= settled <= MAX_MINOR_UNITS:
        return payment_settled(provider="stripe", external_ids=ids, settled=settled, now=now)
    return False
