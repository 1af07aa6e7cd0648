"""Mail to staff about the outbox itself."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.translation import gettext as _

from outbox.effects import handles
from outbox.mail import deliver
from outbox.models import Effect, EffectStatus

STUCK = "outbox.stuck"


@handles(STUCK)
def tell_stuck(payload: dict[str, int], now: datetime) -> None:
    """One mail to staff, unless it was mended meanwhile."""
    effect = Effect.objects.filter(pk=payload["effect"], status=EffectStatus.STUCK).first()
    if effect is None or not settings.WAYOUT_STAFF_EMAIL:
        return
    with translation.override(settings.LANGUAGE_CODE):
        subject = _("Stuck: %(key)s") % {"key": effect.key}
        text = _(
            "This effect ended its worker %(count)d times and is left alone now; everything else goes on.\n\n"
            "The workers' log says why. When the cause is mended, choose it in Admin > Effects: Do again now."
        ) % {"count": effect.crashes}
    deliver(EmailMessage(subject, text, to=settings.WAYOUT_STAFF_EMAIL))
