"""How something that is billed ends. Pure."""

from __future__ import annotations

from enum import StrEnum


class RenewalStop(StrEnum):
    """What becomes of what a provider bills: it goes on, stops at the period's end, or stops now."""

    NONE = "NONE"
    AT_PERIOD_END = "AT_PERIOD_END"
    NOW = "NOW"
