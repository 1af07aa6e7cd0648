"""What follows from dialing: when to try again, whether it counts, and when to stop. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from zoneinfo import ZoneInfo

from common.codes import N_, CodeTable
from desk.codes import CallOccasion
from desk.windows import Hours, business_hours_later, business_morning, next_call
from tenants.actions import Action

MAX_COUNTED = 3


class NextCall(Enum):
    """When the next call is."""

    # Not before the customer or staff do something.
    NEVER = auto()
    # As soon as it is day for the customer.
    SOON = auto()
    # At the time that the customer asked for, and by the same agent.
    AT_SLOT = auto()
    # Two business hours later, then the next business morning, then (unreachable, for staff to decide) two business
    # days later.
    IN_HOURS = auto()
    # The same, with the next business morning at the earliest.
    IN_THE_MORNING = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Follows:
    """What follows from an outcome.

    ``counts`` towards the three after which a customer is unreachable. ``dialed``, ``reached``: what reports count.
    ``action``: as the trail names it, where an agent can choose it for a call that is not the last. ``mail``: what the
    customer is told.
    """

    next_call: NextCall = NextCall.NEVER
    counts: bool = False
    dialed: bool = True
    reached: bool = False
    action: Action | None = None
    mail: CallOccasion | None = None
    # The request rests until another number is given.
    number_is_wrong: bool = False
    # The agent says in which language to call instead.
    asks_language: bool = False
    # The number goes on the list of those that nobody calls.
    opts_out: bool = False


class CallOutcome(CodeTable):
    """What came of dialing, and what follows."""

    label: str
    follows: Follows

    NO_ANSWER = (
        "NO_ANSWER",
        N_("no answer"),
        Follows(action=Action.CALLBACK_NO_ANSWER, next_call=NextCall.IN_HOURS, counts=True),
    )
    BUSY = "BUSY", N_("busy"), Follows(action=Action.CALLBACK_BUSY, next_call=NextCall.IN_HOURS, counts=True)
    VOICEMAIL = (
        "VOICEMAIL",
        N_("voicemail left"),
        Follows(action=Action.CALLBACK_VOICEMAIL, next_call=NextCall.IN_THE_MORNING, counts=True),
    )
    WRONG_NUMBER = (
        "WRONG_NUMBER",
        N_("wrong number"),
        Follows(action=Action.CALLBACK_WRONG_NUMBER, number_is_wrong=True, mail=CallOccasion.WRONG_NUMBER),
    )
    CALL_LATER = (
        "CALL_LATER",
        N_("reached, call later"),
        Follows(action=Action.CALLBACK_CALL_LATER, next_call=NextCall.AT_SLOT, reached=True),
    )
    LANGUAGE_NEEDED = (
        "LANGUAGE_NEEDED",
        N_("another language needed"),
        Follows(action=Action.CALLBACK_LANGUAGE_NEEDED, next_call=NextCall.SOON, reached=True, asks_language=True),
    )
    ASKED_NOT_TO_CALL = (
        "ASKED_NOT_TO_CALL",
        N_("asked not to be called"),
        Follows(action=Action.CALLBACK_ASKED_NOT_TO_CALL, reached=True, opts_out=True, mail=CallOccasion.NOT_CALLED),
    )
    # The last call, which closing and canceling note.
    REACHED = "REACHED", N_("reached"), Follows(reached=True, counts=True)
    # Given back without a call.
    RELEASED = "RELEASED", N_("released"), Follows(next_call=NextCall.SOON, dialed=False)


# What an agent notes of a call that is not the last.
LOGGED = tuple(outcome for outcome in CallOutcome if outcome.follows.action)


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

    Whatever is not agreed waits for the customer's day. ``later`` is the slot that the customer asked for, which is
    kept exactly.
    """
    follows = outcome.follows
    counted += follows.counts
    unreachable = False
    match follows.next_call:
        case NextCall.NEVER:
            return Next(None, follows.counts)
        case NextCall.AT_SLOT:
            return Next(later, follows.counts)
        case NextCall.SOON:
            at = now
        case silence:
            unreachable = counted >= MAX_COUNTED
            at = _after_silence(silence, hours, now, counted)
    return Next(next_call(hours, zone, at), follows.counts, unreachable)


def _after_silence(silence: NextCall, hours: Hours, now: datetime, counted: int) -> datetime:
    if counted >= MAX_COUNTED:
        return business_morning(hours, now, 2)
    if counted == 1 and silence is NextCall.IN_HOURS:
        return business_hours_later(hours, now, timedelta(hours=2))
    return business_morning(hours, now, 1)
