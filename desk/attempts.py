"""What follows from dialing: when to try again, whether it counts, and when to stop. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from desk.windows import Hours, business_hours_later, business_morning, next_call

MOST_COUNTED = 3


class CallOutcome(StrEnum):
    """What came of dialing."""

    NO_ANSWER = "NO_ANSWER"
    BUSY = "BUSY"
    VOICEMAIL = "VOICEMAIL"
    WRONG_NUMBER = "WRONG_NUMBER"
    CALL_LATER = "CALL_LATER"
    LANGUAGE_NEEDED = "LANGUAGE_NEEDED"
    ASKED_NOT_TO_CALL = "ASKED_NOT_TO_CALL"
    REACHED = "REACHED"
    RELEASED = "RELEASED"


# What an agent notes of a call that is not the last; closing or canceling notes REACHED, giving back RELEASED.
LOGGED = tuple(outcome for outcome in CallOutcome if outcome not in (CallOutcome.REACHED, CallOutcome.RELEASED))
NOT_REACHED = (CallOutcome.NO_ANSWER, CallOutcome.BUSY, CallOutcome.VOICEMAIL)


@dataclass(frozen=True, slots=True)
class Next:
    """What happens after an attempt. ``at`` None: nobody dials until the customer or staff do something."""

    at: datetime | None
    counts: bool = False
    unreachable: bool = False


def what_next(
    outcome: CallOutcome, hours: Hours, zone: ZoneInfo, now: datetime, counted: int, later: datetime | None
) -> Next:
    """The next step after ``outcome`` at ``now``, with ``counted`` attempts counted before, in the customer's ``zone``.

    Not reached: two business hours later, then the next business morning, then (unreachable, for staff to decide)
    two business days later; a voicemail waits for the next business morning at least. Each waits for the customer's
    day. ``later`` is the slot that the customer asked for, which is kept exactly.
    """
    if outcome in NOT_REACHED:
        return _not_reached(outcome, hours, zone, now, counted + 1)
    if outcome is CallOutcome.CALL_LATER:
        return Next(later)
    if outcome in (CallOutcome.LANGUAGE_NEEDED, CallOutcome.RELEASED):
        return Next(next_call(hours, zone, now))
    return Next(None)


def _not_reached(outcome: CallOutcome, hours: Hours, zone: ZoneInfo, now: datetime, counted: int) -> Next:
    unreachable = counted >= MOST_COUNTED
    if unreachable:
        at = business_morning(hours, now, 2)
    elif counted == 1 and outcome is not CallOutcome.VOICEMAIL:
        at = business_hours_later(hours, now, timedelta(hours=2))
    else:
        at = business_morning(hours, now, 1)
    return Next(next_call(hours, zone, at), counts=True, unreachable=unreachable)
