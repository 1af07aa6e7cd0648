"""The desk's periodic work."""

from __future__ import annotations

from datetime import timedelta

from desk.services.contacts import erase_old_contacts
from outbox.registry import periodic

periodic(timedelta(hours=1))(erase_old_contacts)
