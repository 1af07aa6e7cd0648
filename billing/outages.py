"""A provider that cannot be reached is waited for, however long: money is never given up for an outage."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext_lazy as _

from billing.providers.base import KeyRefused, ProviderUnavailable
from outbox.mail import tell_staff
from outbox.registry import Again


def again(error: ProviderUnavailable, provider: str, now: datetime) -> Again:
    """What the outbox is told. Only staff can mend a key that is refused: they hear at once, and once a day."""
    if isinstance(error, KeyRefused):
        sentence = _("%(provider)s refuses our key: refunds and cancellations wait until it is corrected.")
        tell_staff(key=f"key:{provider}:{now.date()}", sentence=sentence, values={"provider": provider}, now=now)
    return Again(str(error), error.after, outage=True)
