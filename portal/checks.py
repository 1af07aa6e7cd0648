"""What ``manage.py check --deploy`` says of settings with which everything starts, and something will be missed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from billing.providers import known
from common.starting import warns_at_start
from portal.environment import misspelt


@warns_at_start
def unread_names() -> Iterator[str]:
    """Whoever tries Wayout out, or changes it, has names of tests and of examples set."""
    if not settings.DEBUG:
        yield from misspelt(one.name for found in known().values() for one in found.declares.settings)


@register(deploy=True)
def check_names(**_: Any) -> list[CheckMessage]:
    """Whoever wrote the name believes that it is set."""
    return [Warning(text, id="portal.W001") for text in unread_names()]


@register(deploy=True)
def check_deployment(**_: Any) -> Iterator[CheckMessage]:
    """What has a default that is right for trying it out alone."""
    printed, unsent = "console" in settings.EMAIL_BACKEND, settings.EMAIL_BACKEND.startswith("outbox.unsent.")
    if printed or unsent:
        yield Warning(
            "Mail is written to the process's output, with links and addresses in it, and nobody gets any."
            if printed
            else "Nobody gets any mail: it waits until there is a mail server.",
            hint="Set WAYOUT_EMAIL_URL, for example WAYOUT_EMAIL_URL=submission://user:password@mail.example:587.",
            id="portal.W002",
        )
    if not settings.WAYOUT_STAFF_EMAIL:
        yield Warning(
            "Nobody hears of refunds that failed, and of what else only staff can mend.",
            hint="Set WAYOUT_STAFF_EMAIL, for example WAYOUT_STAFF_EMAIL=staff@wayout.example.",
            id="portal.W003",
        )
    if "WAYOUT_PROXIES" not in os.environ:
        yield Warning(
            "What stands in front is not believed: with HTTPS there, every request is redirected for ever, and everybody"
            " has its address.",
            hint="Set WAYOUT_PROXIES to how many proxies stand in front, for example WAYOUT_PROXIES=1; 0 where granian"
            " itself has the certificate.",
            id="portal.W004",
        )
