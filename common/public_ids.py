"""Public ids: the id you get is the id you send. ``sub_1001`` and nothing else that looks like it. Pure."""

from __future__ import annotations

import re
from enum import StrEnum

_ID = re.compile(r"([a-z]{3})_(0|[1-9][0-9]{0,18})", re.ASCII)
_LARGEST = 2**63 - 1


class Kind(StrEnum):
    """The prefix that tells what an id is of."""

    TENANT = "ten"
    SUBSCRIPTION = "sub"
    LICENSE = "lic"
    USER = "usr"
    CANCELLATION = "can"
    REFUND = "ref"
    CALLBACK = "cal"
    WINDOW = "win"
    PERSON = "per"
    VOUCHED_PERSON = "vou"
    TOKEN = "tok"  # noqa: S105
    WEBHOOK = "whk"
    REMOVAL_REQUEST = "rem"


_KINDS = {kind.value: kind for kind in Kind}


def public_id(kind: Kind, number: int) -> str:
    """The public id of a row."""
    return f"{kind.value}_{number}"


def read_id(kind: Kind, text: str) -> int:
    """The row's number, or 0, which no row has: a malformed id, or one of another kind, looks like an unknown one."""
    found = split_id(text)
    return found[1] if found and found[0] is kind else 0


def split_id(text: str) -> tuple[Kind, int] | None:
    """Kind and number of a public id, or None when it is malformed."""
    match = _ID.fullmatch(text)
    kind = _KINDS.get(match[1]) if match else None
    if not match or kind is None or int(match[2]) > _LARGEST:
        return None
    return kind, int(match[2])
