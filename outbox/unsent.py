"""Where mail goes while no mail server is set: nowhere. It waits, as for one that is down."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from outbox.registry import RetryLater


class EmailBackend(BaseEmailBackend):
    """Takes nothing. Printed, it would put names, addresses and links that open accounts into the log."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        raise RetryLater("no mail server is set (WAYOUT_EMAIL_URL)", outage=True)
