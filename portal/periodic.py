"""The periodic work of sign-in."""

from __future__ import annotations

from datetime import timedelta

from outbox.registry import periodic
from tenants.sessions import forget_sessions

periodic(timedelta(hours=1))(forget_sessions)
