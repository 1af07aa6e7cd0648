"""Mail as an effect."""

from __future__ import annotations

import smtplib

from django.core.mail import EmailMessage

from outbox.effects import Again, Hopeless


def deliver(message: EmailMessage) -> None:
    """Hand a message over. Raises Again where it certainly did not leave, Hopeless where it never will."""
    try:
        message.send()
    except (ConnectionRefusedError, smtplib.SMTPConnectError, smtplib.SMTPAuthenticationError) as error:
        raise Again(type(error).__name__) from error
    except smtplib.SMTPRecipientsRefused as error:
        raise Hopeless("the address was refused") from error
