"""A provider that cannot be reached is waited for, however long: money is never given up for an outage."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from billing.providers.base import KeyRefused, ProviderUnavailable, ProviderUnknown
from outbox.mail import queue_staff_mail
from outbox.registry import RetryLater


def retry_later(error: ProviderUnavailable, provider: str, now: datetime) -> RetryLater:
    """What the outbox is told. What only staff can mend, a key or what is configured, they hear at once, and once a day."""
    sentence = next((text for kind, text in _FOR_STAFF.items() if isinstance(error, kind)), None)
    if sentence:
        queue_staff_mail(key=f"key:{provider}:{now.date()}", sentence=sentence, values={"provider": provider}, now=now)
    return RetryLater(str(error), error.after, outage=True)


_FOR_STAFF = {
    KeyRefused: _("%(provider)s refuses our key: refunds and cancellations wait until it is corrected."),
    ProviderUnknown: _(
        "%(provider)s is no provider here: its refunds and cancellations wait until WAYOUT_PROVIDERS has it."
    ),
}
