"""What ``manage.py check --deploy`` says of settings with which everything starts, and something will be missed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DatabaseError
from django.utils import timezone

from billing.providers import known
from common.keys import keys
from common.starting import warns_at_start
from portal.environment import misspelt
from portal.key_uses import needed, said


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


@register(deploy=True)
def check_keys(**_: Any) -> Iterator[CheckMessage]:
    """None is meant twice. One that is too short is refused before."""
    if len(keys()) < 1 + len(settings.SECRET_KEY_FALLBACKS) + len(settings.WAYOUT_DIGEST_KEYS):
        yield Warning(
            "A key is named twice.",
            hint="Name each once: WAYOUT_SECRET_KEY, WAYOUT_SECRET_KEY_FALLBACKS, WAYOUT_DIGEST_KEYS.",
            id="portal.W021",
        )


@register(Tags.database, deploy=True)
def check_needed_keys(databases: Sequence[str] | None = None, **_: Any) -> Iterator[CheckMessage]:
    """Not of a database that is away or is about to be migrated. Reads every row that a key made."""
    if "default" not in (databases or ()):
        return
    try:
        found = needed(timezone.now())
    except DatabaseError:
        return
    for key in sorted(found.keys() - keys().keys()):
        yield Warning(
            f"The key {key} is not named, and rows need it: {said(found[key])}.",
            hint="Name it in WAYOUT_SECRET_KEY_FALLBACKS, or in WAYOUT_DIGEST_KEYS where it must sign nothing.",
            id="portal.W022",
        )
