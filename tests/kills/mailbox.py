"""A mail server for tests: a message is there whole or not at all, however the process ends."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class EmailBackend(BaseEmailBackend):
    """One file a message in WAYOUT_TEST_MAIL."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            path = Path(os.environ["WAYOUT_TEST_MAIL"]) / uuid.uuid4().hex
            path.write_bytes(message.message().as_bytes())
            path.rename(path.with_suffix(".eml"))
        return len(email_messages)
