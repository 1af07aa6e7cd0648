"""The installation's keys: one that all is made with from now on, and older ones for what was made before.

A text made by hand with a key says which: ``<key id>:<digest>``. Django's own signatures (sessions, quotes) try
WAYOUT_SECRET_KEY and its fallbacks; digests are looked up under every key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac


def key_id(key: str) -> str:
    """What a key is called in rows and in sentences: eight letters that tell nothing of it."""
    return hashlib.sha256(f"wayout.key-id {key}".encode()).hexdigest()[:8]


def keys() -> Mapping[str, str]:
    """Every key that the settings name, by its id; the current one first."""
    older = [*settings.SECRET_KEY_FALLBACKS, *settings.WAYOUT_DIGEST_KEYS]
    return {key_id(key): key for key in (settings.SECRET_KEY, *older)}


def digest(purpose: str, text: str) -> str:
    """A keyed hash of ``text`` under the current key, 73 letters; another ``purpose`` gives another hash."""
    return digests(purpose, text)[0]


def digests(purpose: str, text: str) -> list[str]:
    """The same under each key, the current one first: whoever looks for one looks for all of them."""
    return [f"{name}:{_hmac(purpose, text, key)}" for name, key in keys().items()]


def is_digest_of(found: str, purpose: str, text: str) -> bool:
    """Whether ``found`` was made of ``text``, by a key that the settings still name."""
    key = keys().get(found.partition(":")[0])
    return key is not None and constant_time_compare(found.partition(":")[2], _hmac(purpose, text, key))


def _hmac(purpose: str, text: str, key: str) -> str:
    return salted_hmac(purpose, text, secret=key, algorithm="sha256").hexdigest()
