"""How something that is billed ends. Pure."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

# The web says until when an undo is open, by its clock; the worker's may be ahead by as much before it closes one.
UNDO_GRACE = timedelta(minutes=5)


class RenewalStop(StrEnum):
    """What becomes of what a provider bills: it goes on, stops at the period's end, or stops now."""

    NONE = "NONE"
    AT_PERIOD_END = "AT_PERIOD_END"
    NOW = "NOW"
