"""What webhooks know of a person: whom a partner named to be told."""

from __future__ import annotations

from common.personal import Holding, blanking, by_address
from webhooks.models import Endpoint

HOLDINGS = (
    Holding(
        "webhook_contacts",
        lambda whom: Endpoint.objects.filter(by_address("contact_email", whom)),
        ("url", "contact_email"),
        blanking(contact_email=""),
        kept="the webhook, which tells nobody when it is disabled",
    ),
)
