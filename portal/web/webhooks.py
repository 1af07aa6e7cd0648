"""What providers tell us by themselves. They verify it, billing takes it."""

from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.providers import provider
from billing.providers.base import NotSigned, NoWebhook, ProviderUnknown
from billing.updates import record_update

logger = logging.getLogger("wayout.webhooks")


@csrf_exempt
@require_POST
def provider_webhook(request: HttpRequest, name: str) -> HttpResponse:
    """400 for what the provider did not sign, 404 for one that has no webhook here, 200 for everything else."""
    try:
        updates = provider(name).read_webhook(request.body, request.headers)
    except NotSigned:
        return JsonResponse({"error": f"not signed by {name}"}, status=400)
    except (ProviderUnknown, NoWebhook):
        return JsonResponse({"error": "nobody listens here"}, status=404)
    taken = [record_update(provider=name, update=update, now=timezone.now()) for update in updates]
    logger.info("%s said %d things, %d of them news", name, len(taken), sum(taken))
    return JsonResponse({"received": True})
