"""Why an address is not one that events are sent to. Pure."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """What is wrong with an address."""

    MALFORMED = "MALFORMED"
    NOT_HTTPS = "NOT_HTTPS"
    PRIVATE = "PRIVATE"


class AddressRefused(Exception):
    """Events are not sent there."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class TooManyEndpoints(Exception):
    """A partner has as many endpoints as it may."""
