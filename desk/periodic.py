"""The desk's periodic work."""

from __future__ import annotations

from datetime import timedelta

from desk.services.desk import erase_old_contacts
from outbox.registry import every

every(timedelta(hours=1))(erase_old_contacts)
