"""What can go wrong with a call, besides what every app meets. Pure.

ExpectedError
├── CallbackOpen
├── ClaimedElsewhere
├── DoNotCall
├── PhoneInvalid
├── PhoneKindUnsupported
├── PhoneRegionUnsupported
├── TimeZoneInvalid
├── WindowNotAvailable
├── InputInvalid
│   ├── NightThere
│   ├── NumberUnanswered
│   └── TimeNotAhead
└── RateLimited
    └── NumberGivenTooOften
"""

from __future__ import annotations

from typing import ClassVar

from common.codes import N_
from common.errors import ExpectedError, InputInvalid, Plural, RateLimited


class CallbackOpen(ExpectedError):
    """Staff: a request for a call about the subscription is open already."""

    code = "CALLBACK_OPEN"
    sentence = N_("%(reference)s is open for this subscription already.")

    def __init__(self, *path: str, callback: int, reference: str) -> None:
        """``callback``: the key of the request that is open."""
        super().__init__(*path)
        self.callback = callback
        self.reference = reference


class ClaimedElsewhere(ExpectedError):
    """Staff: another agent has the customer's call."""

    code = "CLAIMED_ELSEWHERE"
    sentence = N_("Another agent is calling this customer. Only they can cancel meanwhile.")


class DoNotCall(ExpectedError):
    """The number asked not to be called."""

    code = "DO_NOT_CALL"
    sentence = N_("This number asked not to be called. You can cancel online, or give another number.")


class PhoneInvalid(ExpectedError):
    """Not even a possible phone number."""

    code = "PHONE_INVALID"
    sentence = N_("This is not a phone number. Write it with its country code, like +359 88 812 3456.")


class PhoneKindUnsupported(ExpectedError):
    """A premium-rate or shared-cost number."""

    code = "PHONE_KIND_UNSUPPORTED"
    sentence = N_("We cannot call premium-rate or shared-cost numbers.")


class PhoneRegionUnsupported(ExpectedError):
    """A number in a country that the desk does not call."""

    code = "PHONE_REGION_UNSUPPORTED"
    sentence = N_("We cannot call numbers in this country.")


class TimeZoneInvalid(ExpectedError):
    """No such IANA time zone."""

    code = "TIME_ZONE_INVALID"
    sentence = N_("There is no such time zone. Use a name like Europe/Sofia.")


class WindowNotAvailable(ExpectedError):
    """That window is over, full, on a holiday, or was never one."""

    code = "WINDOW_NOT_AVAILABLE"
    sentence = N_("This time is no longer free. Choose another one.")


class NightThere(InputInvalid):
    """The customer may be asleep then."""

    sentence = N_("It is %(time)s there then. Between 09:00 and 19:00 of the customer, please.")

    def __init__(self, *path: str, time: str) -> None:
        """``time``: of the customer's clock."""
        super().__init__(*path)
        self.time = time


class NumberUnanswered(InputInvalid):
    """A number that is known to answer to nobody."""

    sentence = N_("Nobody answers to this number. Another one, please.")


class TimeNotAhead(InputInvalid):
    """Not ahead, or too far."""

    sentence = N_("Later than now and within 30 days, please.")


class NumberGivenTooOften(RateLimited):
    """A tenant gives one number for so many requests within a day."""

    sentence: ClassVar[str | Plural] = N_(
        "This number was given three times within a day. Give another one, or wait until tomorrow."
    )
