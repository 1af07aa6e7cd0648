"""The body of a sync document: short enough to be applied while its sender waits, or too long for that."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

from subscriptions.directory.reading import MAX_JSON, unpacked
from subscriptions.directory.runs import MAX_AT_ONCE

# Up to so many bytes a document may be answered at once.
SHORT = 4_000_000
_KINDS = {"application/json": False, "application/x-ndjson": True, "application/jsonl": True}


class NotADocument(Exception):
    """The headers say that it is something else, or packed in a way that nobody can unpack here."""


@dataclass(slots=True)
class Body:
    """``pieces``: all of it, unpacked as it is read. ``short``: the whole, where it is short; None where it is long."""

    is_ndjson: bool
    pieces: Iterator[bytes]
    short: bytes | None

    @classmethod
    def of(cls, request: HttpRequest) -> Body:
        """Read as much as it takes to know. Raises NotADocument, and BodyRefused for what is too large or not gzip."""
        kind, encoding = request.content_type or "", request.headers.get("Content-Encoding", "identity").lower()
        if kind not in _KINDS or encoding not in ("identity", "gzip"):
            raise NotADocument
        is_ndjson = _KINDS[kind]
        limit = settings.WAYOUT_SYNC_MAX_BYTES if is_ndjson else min(MAX_JSON, settings.WAYOUT_SYNC_MAX_BYTES)
        pieces = unpacked(request, is_gzip=encoding == "gzip", limit=limit)  # type: ignore[arg-type]
        begun, is_whole = _begin(pieces, is_ndjson=is_ndjson)
        return cls(is_ndjson, itertools.chain(begun, pieces), b"".join(begun) if is_whole else None)


def _begin(pieces: Iterable[bytes], *, is_ndjson: bool) -> tuple[list[bytes], bool]:
    """The first pieces, up to where it is known to be long; whether that is all."""
    begun: list[bytes] = []
    length = lines = 0
    for piece in pieces:
        begun.append(piece)
        length += len(piece)
        lines += piece.count(b"\n") if is_ndjson else 0
        # The head and the end are lines, too.
        if length > SHORT or lines > MAX_AT_ONCE + 2:
            return begun, False
    return begun, True
