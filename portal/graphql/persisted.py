"""Persisted queries: a client may send the SHA-256 of a document that was answered before instead of the document.

Kept in the cache, for callers we know, a day, and only documents of ordinary size: the store is bounded.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from cross_web import HTTPException
from django.core.cache import cache
from django.utils.translation import gettext as _

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LONGEST = 20_000
_KEPT_FOR = 24 * 60 * 60


class PersistedQueryNotFound(Exception):
    """The hash is of no document that is kept: the client sends the document with it."""


def recall(extensions: Any) -> str | None:
    """The document of the hash in a request without one; None when it names no hash.

    Raises PersistedQueryNotFound, or HTTPException for a hash that is none.
    """
    digest = _digest(extensions)
    if digest is None:
        return None
    document: str | None = cache.get(f"document:{digest}")
    if document is None:
        raise PersistedQueryNotFound
    return document


def remember(document: str | None, extensions: Any) -> None:
    """Keep a document that came with its hash."""
    digest = _digest(extensions)
    if digest is None or document is None or len(document) > _LONGEST:
        return
    if hashlib.sha256(document.encode(errors="surrogatepass")).hexdigest() == digest:
        cache.set(f"document:{digest}", document, _KEPT_FOR)


def _digest(extensions: Any) -> str | None:
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    if persisted is None:
        return None
    digest = persisted.get("sha256Hash") if isinstance(persisted, dict) else None
    if not isinstance(digest, str) or not _HASH.fullmatch(digest):
        raise HTTPException(400, _("persistedQuery needs a sha256Hash of 64 hexadecimal digits."))
    return digest
