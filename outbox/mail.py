"""Mail as a task."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Mapping
from datetime import datetime

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils import translation
from django.utils.functional import Promise

from common.circuit import Circuit
from common.lines import one_line
from common.messages import fill
from outbox.queue import enqueue
from outbox.registry import Lane, PermanentFailure, RetryLater, handles

logger = logging.getLogger("wayout.outbox")
STAFF = "mail.staff"
# One that is away is asked by one mail at a time, so that the others do not keep a worker from everything else.
circuit = Circuit(pause=30)
# "Service not available": about the server, whatever it was said of.
_CLOSING = 421


def queue_staff_mail(*, key: str, sentence: Promise, values: Mapping[str, object], now: datetime) -> None:
    """Mail a sentence to WAYOUT_STAFF_EMAIL, once per ``key``, in the language of the installation.

    Within the caller's transaction, if there is one. The log has it too, so that it is said without a mail server.
    """
    with translation.override(settings.LANGUAGE_CODE):
        text = " ".join(fill(str(sentence), values).split())
    logger.warning("for staff: %s", text)
    enqueue(kind=STAFF, key=f"{STAFF}:{key}"[:100], payload={"text": text}, run_at=now, now=now, at_most_once=True)


@handles(STAFF, Lane.MAIL)
def send_to_staff(payload: dict[str, str], now: datetime) -> None:
    """One mail to all of them."""
    if settings.WAYOUT_STAFF_EMAIL:
        text = payload["text"]
        deliver(EmailMessage(text[:200], text + "\n", to=settings.WAYOUT_STAFF_EMAIL))


def deliver(message: EmailMessage) -> None:
    """Hand a message over. Raises RetryLater where it certainly did not leave, PermanentFailure where it never will.

    A mail server that is away, silent or does not let us in is an outage. What else is raised may be an answer that was
    lost on its way back: the message may have left. Names of products and tenants stand in subjects: whatever is in them, it
    stays one line.
    """
    message.subject = one_line(str(message.subject))
    if not circuit.allows():
        raise RetryLater("the mail server was away a moment ago", outage=True)
    try:
        _hand_over(message)
    except RetryLater as error:
        (circuit.failed if error.outage else circuit.worked)()
        raise
    except PermanentFailure:
        circuit.worked()
        raise
    circuit.worked()


def _hand_over(message: EmailMessage) -> None:
    message.connection = connection = get_connection()
    try:
        with connection:
            message.send()
    except smtplib.SMTPRecipientsRefused as error:
        code = min(code for code, _said in error.recipients.values())
        if code < 500:
            raise RetryLater(f"SMTP {code}", outage=code == _CLOSING) from error
        raise PermanentFailure("the address was refused") from error
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
        if isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500:
            raise PermanentFailure(f"the mail server refused it: {error.smtp_code}") from error
        raise RetryLater(f"SMTP {error.smtp_code}", outage=error.smtp_code == _CLOSING) from error
    except OSError as error:
        if getattr(connection, "may_have_left", True):
            raise
        raise RetryLater(type(error).__name__, outage=True) from error
