"""Settings of the processes that are killed: the test's database, mail into a folder, one file a message."""

from __future__ import annotations

from portal.settings import *  # noqa: F403

WAYOUT_PROVIDER = "ledger"
EMAIL_BACKEND = "tests.kills.mailbox.EmailBackend"
LOGGING = {"version": 1, "disable_existing_loggers": True}
