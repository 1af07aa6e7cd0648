"""Which rows need which of the installation's keys. What is encrypted can be made anew; of a digest nobody has the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from common.keys import current_id, key_id, keys, oldest_id
from desk.services.contacts import opt_outs_by_key
from tenants.audit import events_by_key
from webhooks import signing


@dataclass(frozen=True, slots=True)
class Use:
    """A kind of row that keeps what a key made. ``count``: how many need each key; "" where they do not say."""

    name: str
    count: Callable[[datetime], Counter[str]]
    reencrypt: Callable[[datetime], Iterator[int]] | None = None


USES = (
    Use("secrets of webhooks", signing.count_by_key, signing.reencrypt_each),
    Use("numbers not to be called", lambda _now: opt_outs_by_key()),
    Use("events of the trail", lambda _now: events_by_key()),
)


def needed(now: datetime) -> Mapping[str, Mapping[Use, int]]:
    """What needs each key, by its id: every key that is named, and every other that rows need. Reads all such rows."""
    found: dict[str, dict[Use, int]] = {key: {} for key in keys()}
    for use in USES:
        for key, count in (+use.count(now)).items():
            uses = found.setdefault(key or oldest_id(), {})
            uses[use] = uses.get(use, 0) + count
    return found


def not_reencrypted(now: datetime) -> int:
    """How many rows the current key did not make, and can."""
    current = current_id()
    return sum(count for use in USES if use.reencrypt for key, count in use.count(now).items() if key != current)


def named_in(key: str) -> str:
    """The variable that names a key; "" for one that is named nowhere."""
    lists = {
        "WAYOUT_SECRET_KEY": [settings.SECRET_KEY],
        "WAYOUT_SECRET_KEY_FALLBACKS": settings.SECRET_KEY_FALLBACKS,
        "WAYOUT_DIGEST_KEYS": settings.WAYOUT_DIGEST_KEYS,
    }
    return next((name for name, those in lists.items() if key in map(key_id, those)), "")


def said(uses: Mapping[Use, int]) -> str:
    """For a sentence: what needs a key, and how much of it."""
    return ", ".join(f"{use.name}: {count}" for use, count in uses.items())
