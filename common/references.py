"""Reference numbers that can be read out on the phone: C-7K3M-94QX. Pure."""

from __future__ import annotations

import secrets

# Without 0 O 1 I, which are mistaken for each other.
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def new_reference(kind: str) -> str:
    """A random reference: ``kind`` (C for a cancellation, R for a callback request) and eight letters or digits.

    32^8 are about 10^12; that two are alike is refused by the database.
    """
    text = "".join(secrets.choice(ALPHABET) for _ in range(8))
    return f"{kind}-{text[:4]}-{text[4:]}"
