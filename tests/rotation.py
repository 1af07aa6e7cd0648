"""The installation's key becomes another one in the middle of a test."""

from __future__ import annotations

from typing import Any

NEW = "the key that is there from now on, more than fifty characters"


def rotate(settings: Any, *, older: list[str] | None = None, digests: list[str] | None = None) -> None:
    """From the key of the tests to NEW; the other is named as an older one, unless said otherwise."""
    before = settings.SECRET_KEY
    settings.SECRET_KEY = NEW
    settings.SECRET_KEY_FALLBACKS = [before] if older is None else older
    settings.WAYOUT_DIGEST_KEYS = digests or []
