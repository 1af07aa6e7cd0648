"""What providers tell us by themselves. Verified here, handed down; a repeated or late word changes nothing."""

from __future__ import annotations

import logging
from typing import Any

import stripe
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.providers.stripe import key_of, result_of
from billing.services.charges import payment_settled
from billing.services.refunds import record_provider_event

logger = logging.getLogger("wayout.webhooks")
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
        event = stripe.Webhook.construct_event(request.body, signature, secret)
    except (ValueError, stripe.SignatureVerificationError):
        return JsonResponse({"error": "not signed by Stripe"}, status=400)
    # What happened in an account connected to ours is none of our charges, whatever ids it has.
    taken = not getattr(event, "account", None) and _take(event.type, event.data.object.to_dict())
    logger.info("stripe event %s %s: %s", event.type, event.id, "taken" if taken else "nothing of ours")
    return JsonResponse({"received": True})


def _take(kind: str, body: dict[str, Any]) -> bool:
    """Hand down what an event says, if its fields are what Stripe documents; False for anything else."""
    now = timezone.now()
    if kind in _REFUNDS and (key := key_of(body)) and (result := result_of(body)):
        return record_provider_event(key=key, result=result, now=now)
    charge_id, settled = body.get("id"), body.get("amount_captured")
    if kind in _PAYMENTS and isinstance(charge_id, str) and isinstance(settled, int):
        return payment_settled(provider="stripe", external_id=charge_id, settled=settled, now=now)
    return False
