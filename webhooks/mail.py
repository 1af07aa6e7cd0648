"""Mail to who should know that an endpoint was disabled."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.translation import gettext as _

from common.formatting import format_datetime
from common.messages import fill
from outbox.mail import deliver
from outbox.registry import Lane, handles
from webhooks.deliveries import DISABLED
from webhooks.models import DeliveryStatus, Endpoint


@handles(DISABLED, Lane.MAIL)
def mail_disabled(payload: dict[str, int], now: datetime) -> None:
    """One mail to the partner's contact and the staff, in the contact's language."""
    endpoint = Endpoint.objects.filter(pk=payload["endpoint"]).first()
    recipients = [*filter(None, [endpoint.contact_email if endpoint else ""]), *settings.WAYOUT_STAFF_EMAIL]
    if endpoint is None or not recipients:
        return
    waiting = endpoint.deliveries.exclude(status=DeliveryStatus.DELIVERED).count()
    with translation.override(endpoint.language):
        subject = _("We stopped sending events to %(url)s") % {"url": endpoint.url}
        said = _(
            "Nothing arrived there since %(since)s; the last answer was: %(problem)s.\n\n"
            "Events that wait: %(count)d; each is kept for 30 days. When the receiver works again, test it and let it go on:"
            " testWebhook and replayWebhook, or the staff's admin. Then everything that waits is sent."
        )
        values = {
            "since": format_datetime(endpoint.failing_since or now, ZoneInfo(settings.TIME_ZONE)),
            "problem": endpoint.last_problem,
            "count": waiting,
        }
        text = fill(said, values)
    deliver(EmailMessage(subject, text, to=recipients))
