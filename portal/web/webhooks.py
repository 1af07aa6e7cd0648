"""What providers tell us by themselves. Verified here, handed down; a repeated or late word changes nothing."""

from __future__ import annotations

import logging

import stripe
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.providers.stripe import key_of, result_of
from billing.services.charges import payment_settled
from billing.services.refunds import hear_of

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
    handled = False
    if event.type in _REFUNDS:
        refund = event.data.object
        handled = hear_of(key=key_of(refund), result=result_of(refund), now=timezone.now())
    elif event.type in _PAYMENTS:
        charge = event.data.object
        handled = payment_settled(external_id=charge.id, settled=charge.amount_captured)
    logger.info("stripe event %s %s: %s", event.type, event.id, "taken" if handled else "nothing of ours")
    return JsonResponse({"received": True})
