"""Why events are not sent to an address, or not read from there on. Pure.

ExpectedError
├── CursorExpired
└── InputInvalid
    ├── AddressRefused
    │   ├── AddressMalformed
    │   ├── AddressNotHttps
    │   └── AddressPrivate
    └── TooManyEndpoints
"""

from __future__ import annotations

from typing import ClassVar

from common.codes import N_
from common.errors import ExpectedError, InputInvalid


class AddressRefused(InputInvalid):
    """Events are not sent there."""

    problem: ClassVar[str]  # as it is noted with a delivery


class AddressMalformed(AddressRefused):
    """Not an address that a message could be sent to as it stands."""

    problem = "MALFORMED"
    sentence = N_("This is no address: https, a host, no user name and no fragment.")


class AddressNotHttps(AddressRefused):
    """Everybody on the way could read it."""

    problem = "NOT_HTTPS"
    sentence = N_("Events are sent by https alone.")


class AddressPrivate(AddressRefused):
    """It leads into somebody's own network, maybe ours."""

    problem = "PRIVATE"
    sentence = N_("Events are not sent to private addresses. Give a host on the open internet.")


class TooManyEndpoints(InputInvalid):
    """A partner has as many as it may."""

    sentence = N_("There are %(count)d webhooks already. Remove one first.")

    def __init__(self, *path: str, count: int) -> None:
        super().__init__(*path)
        self.count = count


class CursorExpired(ExpectedError):
    """Events that followed were dropped since: what is kept begins later. Read from the beginning, and compare with what you have."""

    code = "CURSOR_EXPIRED"
    sentence = N_(
        "Events that followed this cursor are not kept any more. Begin without one, and compare what you have."
    )
