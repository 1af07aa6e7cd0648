"""How money of a charge leaves without us. Pure."""

from __future__ import annotations

from enum import StrEnum


class ReturnKind(StrEnum):
    """NET: all that somebody says has left again, however it did; it counts as far as nothing else explains it."""

    REFUND = "REFUND"
    DISPUTE = "DISPUTE"
    NET = "NET"


class ReturnStatus(StrEnum):
    """OPEN: on its way, or not decided. BACK: it failed, or the dispute was won, so that the money is there again."""

    OPEN = "OPEN"
    GONE = "GONE"
    BACK = "BACK"
