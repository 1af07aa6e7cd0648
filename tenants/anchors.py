"""Ends of chains noted outside of the database, signed: whoever rewrites a chain there cannot rewrite these.

A line of the log each, as JSON, with up to fifty ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from common.keys import digest, is_digest_of, key_of, keys
from tenants.hashing import canonical
from tenants.models import AuditEvent, AuditHead, InstallationAuditHead

logger = structlog.get_logger("wayout.audit")
_PURPOSE = "wayout.audit.anchor"
# So that a line stays below five thousand characters, which whoever carries logs takes.
_ENDS_A_LINE = 50
_NAMES = ("heads", "at", "signature")
_NOT_OURS = "its signature is not ours"
_KEY = re.compile("[0-9a-f]{8}")
# The chain (a tenant's id, None for the installation's), the position, the hash.
End = tuple[int | None, int, str]


@dataclass(frozen=True, slots=True)
class Slip:
    """An anchor that does not hold. ``position`` 0: all of its line."""

    line: int
    tenant_id: int | None
    position: int
    problem: str


def anchor_heads(now: datetime, *, anew: bool = False) -> int:
    """Note the ends that moved since they were noted last, or all, in the log and in WAYOUT_AUDIT_ANCHORS; how many.

    Three statements a line. An end that somebody moves this very moment comes with the next time. What cannot be written is
    noted again.
    """
    return sum(_anchor(model, now, anew) for model in (AuditHead, InstallationAuditHead))


def _anchor(model: type[AuditHead] | type[InstallationAuditHead], now: datetime, anew: bool) -> int:
    wanted = model.objects.all() if anew else model.objects.filter(position__gt=F("anchored"))
    done, last = 0, 0
    while True:
        with transaction.atomic():
            following = wanted.filter(pk__gt=last).order_by("pk")
            heads: list[Any] = list(following.select_for_update(skip_locked=True)[:_ENDS_A_LINE])
            if not heads:
                return done
            _write([(getattr(head, "tenant_id", None), head.position, head.hash) for head in heads], now)
            for head in heads:
                head.anchored = head.position
            model.objects.bulk_update(heads, ["anchored"])
        done, last = done + len(heads), heads[-1].pk


def _write(heads: list[End], now: datetime) -> None:
    at = now.astimezone(UTC).isoformat()
    line = {"heads": heads, "at": at, "signature": digest(_PURPOSE, canonical([heads, at]))}
    logger.info("audit heads", **line)
    if settings.WAYOUT_AUDIT_ANCHORS:
        with Path(settings.WAYOUT_AUDIT_ANCHORS).open("a") as file:
            file.write(json.dumps(line) + "\n")


def check_anchors(lines: Iterable[str]) -> Iterator[list[Slip]]:
    """For each line that is an anchor what of it does not hold. Others are passed over. A query each."""
    for number, line in enumerate(lines, 1):
        try:
            found = _read(line)
        except (ValueError, RecursionError):
            yield [Slip(number, None, 0, "it cannot be read")]
            continue
        if found is not None:
            yield list(_check(number, found))


def _read(line: str) -> dict[str, Any] | None:
    """What the line says; whoever carries logs may have written before it and behind. Raises ValueError, RecursionError."""
    begins = line.rfind("{", 0, max(line.rfind('"heads"'), 0))
    if begins < 0:
        return None
    said, _end = json.JSONDecoder().raw_decode(line, begins)
    return said if all(name in said for name in _NAMES) else None


def _problem(said: dict[str, Any]) -> str:
    signature = str(said["signature"])
    try:
        if is_digest_of(signature, _PURPOSE, canonical([said["heads"], said["at"]])):
            return ""
    except (UnicodeEncodeError, RecursionError):  # Half a character, or brackets without end: we write neither.
        return _NOT_OURS
    key = key_of(signature)
    return f"its key, {key}, is not named" if _KEY.fullmatch(key) and key not in keys() else _NOT_OURS


def _check(number: int, said: dict[str, Any]) -> Iterator[Slip]:
    if problem := _problem(said):
        yield Slip(number, None, 0, problem)
        return
    ends: list[End] = [(tenant, position, hash_) for tenant, position, hash_ in said["heads"]]
    there = _hashes_at(ends)
    for tenant_id, position, hash_ in ends:
        found = there.get((tenant_id, position))
        if found is None:
            yield Slip(number, tenant_id, position, "the chain is shorter")
        elif found != hash_:
            yield Slip(number, tenant_id, position, "another event is there")


def _hashes_at(ends: list[End]) -> dict[tuple[int | None, int], str]:
    wanted = Q()
    for tenant_id, position, _hash in ends:
        wanted |= Q(tenant=tenant_id, position=position)
    rows = AuditEvent.objects.filter(wanted).values_list("tenant", "position", "hash")
    return {(tenant, position): hash_ for tenant, position, hash_ in rows}
