"""The codes of a callback request: its status, how it ends, and the mail about it. Pure."""

from __future__ import annotations

from common.codes import N_, CodeTable


class CallbackStatus(CodeTable):
    """NEW (as soon as possible) or SCHEDULED, then CLAIMED and DONE; the others are ways aside."""

    label: str

    NEW = "NEW", N_("new")
    SCHEDULED = "SCHEDULED", N_("scheduled")
    CLAIMED = "CLAIMED", N_("claimed")
    DONE = "DONE", N_("done")
    UNREACHABLE = "UNREACHABLE", N_("unreachable")
    WITHDRAWN = "WITHDRAWN", N_("withdrawn")
    DO_NOT_CALL = "DO_NOT_CALL", N_("do not call")


OPEN_STATUSES = (
    CallbackStatus.NEW,
    CallbackStatus.SCHEDULED,
    CallbackStatus.CLAIMED,
    CallbackStatus.UNREACHABLE,
)


# What can be put back into the queue: it is over, or the tries are.
REOPENABLE = (
    CallbackStatus.DONE,
    CallbackStatus.WITHDRAWN,
    CallbackStatus.UNREACHABLE,
    CallbackStatus.DO_NOT_CALL,
)

_MOVE = N_("When: %(when)s. You can move or withdraw it in the portal.")


class CallOccasion(CodeTable):
    """A mail about a call: what comes next for the customer, and whether the appointment is taken back."""

    headline: str
    next_step: str
    is_over: bool

    BOOKED = "BOOKED", N_("We will call you about “%(name)s”"), _MOVE, False
    CHANGED = "CHANGED", N_("Our call about “%(name)s” was moved"), _MOVE, False
    UNREACHABLE = (
        "UNREACHABLE",
        N_("We could not reach you about “%(name)s”"),
        N_(
            "Your request stays open, and waiting for us costs you nothing. Choose another time or number in the portal."
        ),
        False,
    )
    WRONG_NUMBER = (
        "WRONG_NUMBER",
        N_("Please correct your number: our call about “%(name)s”"),
        N_("Nobody answers to the number we have. Give another one in the portal; your place in the queue is kept."),
        False,
    )
    NOT_CALLED = (
        "NOT_CALLED",
        N_("We will not call you about “%(name)s”"),
        N_("You asked us not to call. Remove users in the portal until canceling online opens, whenever you like."),
        False,
    )
    DONE = (
        "DONE",
        N_("Our call about “%(name)s” is done"),
        N_("Nothing was canceled. You can ask for a call again in the portal, whenever you like."),
        True,
    )
    CANCELED = (
        "CANCELED",
        N_("“%(name)s” was canceled for you"),
        N_("What was agreed stands in the portal, with its receipt and until when it can be undone."),
        True,
    )
    CLOSED = (
        "CLOSED",
        N_("We will not call you about “%(name)s” any more"),
        N_(
            "Your request for a call is closed, and nothing was canceled. You can ask for a call again in the portal,"
            " whenever you like."
        ),
        True,
    )
    REOPENED = (
        "REOPENED",
        N_("We will call you about “%(name)s” after all"),
        N_(
            "Your request for a call is open again, and waiting for us costs you nothing. When: %(when)s. You can move"
            " or withdraw it in the portal."
        ),
        False,
    )
    WITHDRAWN = (
        "WITHDRAWN",
        N_("Our call about “%(name)s” is not needed any more"),
        N_("You need not do anything."),
        True,
    )


class CloseReason(CodeTable):
    """How a request ended: the status it leaves, the mail to the customer, whether an agent can choose it."""

    label: str
    status: CallbackStatus
    mail: CallOccasion
    by_agents: bool

    # What a cancellation for the customer leaves behind.
    CANCELED_BY_AGENT = "CANCELED_BY_AGENT", N_("canceled by agent"), CallbackStatus.DONE, CallOccasion.CANCELED, False
    CUSTOMER_KEEPS = "CUSTOMER_KEEPS", N_("the customer keeps it"), CallbackStatus.DONE, CallOccasion.DONE, True
    DIRECTED_ONLINE = "DIRECTED_ONLINE", N_("directed online"), CallbackStatus.DONE, CallOccasion.DONE, True
    RESOLVED_ONLINE = "RESOLVED_ONLINE", N_("resolved online"), CallbackStatus.WITHDRAWN, CallOccasion.WITHDRAWN, False
    WITHDRAWN_BY_CUSTOMER = (
        "WITHDRAWN_BY_CUSTOMER",
        N_("withdrawn by the customer"),
        CallbackStatus.WITHDRAWN,
        CallOccasion.WITHDRAWN,
        False,
    )
    ASKED_NOT_TO_CALL = (
        "ASKED_NOT_TO_CALL",
        N_("asked not to be called"),
        CallbackStatus.DO_NOT_CALL,
        CallOccasion.NOT_CALLED,
        False,
    )
    OTHER = "OTHER", N_("other"), CallbackStatus.DONE, CallOccasion.DONE, True


# What an agent can close a request with.
DISPOSITIONS = tuple(reason for reason in CloseReason if reason.by_agents)
