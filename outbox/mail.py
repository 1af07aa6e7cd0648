"""Mail as an effect."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.functional import Promise

from outbox.effects import Again, Hopeless, handles, put

logger = logging.getLogger("wayout.outbox")
STAFF = "mail.staff"


def tell_staff(*, key: str, sentence: Promise, values: Mapping[str, object], now: datetime) -> None:
    """Mail a sentence to WAYOUT_STAFF_EMAIL, once per ``key``, in the language of the installation.

    Within the caller's transaction, if there is one. The log has it too, so that it is said without a mail server.
    """
    with translation.override(settings.LANGUAGE_CODE):
        text = " ".join((str(sentence) % values).split())
    logger.warning("for staff: %s", text)
    put(kind=STAFF, key=f"{STAFF}:{key}"[:100], payload={"text": text}, run_at=now, now=now, once=True)


@handles(STAFF)
def send_to_staff(payload: dict[str, str], now: datetime) -> None:
    """One mail to all of them."""
    if settings.WAYOUT_STAFF_EMAIL:
        text = payload["text"]
        deliver(EmailMessage(text[:200], text + "\n", to=settings.WAYOUT_STAFF_EMAIL))


def deliver(message: EmailMessage) -> None:
    """Hand a message over. Raises Again where it certainly did not leave, Hopeless where it never will."""
    try:
        message.send()
    except (ConnectionRefusedError, smtplib.SMTPConnectError, smtplib.SMTPAuthenticationError) as error:
        raise Again(type(error).__name__) from error
    except smtplib.SMTPRecipientsRefused as error:
        raise Hopeless("the address was refused") from error
