"""What staff do with one request, and with many: each step is a call to a service, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from common.formatting import active_language
from common.messages import fill
from desk.codes import OPEN_STATUSES, CallbackStatus
from desk.models import CallbackRequest
from desk.services.claims import claim_callback, claim_next, reassign_callback, release_callback
from desk.services.contacts import erase_contact
from desk.services.outcomes import close_callback, close_without_call, log_attempt
from desk.services.reopening import reopen_callback
from desk.services.requests import reschedule_callback
from tenants.callers import Caller
from tenants.models import User
from tenants.staff import staff

WORK, HAND_OVER, ERASE = "desk.work_callbacks", "desk.reassign_callbacks", "desk.erase_contact"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """Who does something with which request; ``given`` is what a form says."""

    pk: int
    user: User
    caller: Caller
    given: Mapping[str, Any] = field(default_factory=dict)

    def ask(self, service: Callable[..., T], **more: Any) -> T:
        """Call a service about the request."""
        return service(caller=self.caller, callback_id=self.pk, language=active_language(), now=timezone.now(), **more)

    @property
    def supervises(self) -> bool:
        """Whether they may do it with what others hold."""
        return self.user.has_perm(HAND_OVER)


def step_of(request: HttpRequest, permission: str, pk: int) -> Step:
    """Somebody's step. Raises PermissionDenied."""
    user, caller = staff(request, permission)
    return Step(pk, user, caller)


# Each returns what to say when it is done, or None when it was not to be done (any more).
Act = Callable[[Step], str | None]


def take_next(request: HttpRequest) -> CallbackRequest | None:
    """Claim the one that should be called now."""
    agent, caller = staff(request, WORK)
    return claim_next(agent=agent, caller=caller, language=active_language(), now=timezone.now())


def claim(step: Step) -> str | None:
    """Take it for 20 minutes."""
    return _("You have it for 20 minutes.") if step.ask(claim_callback, agent=step.user) else None


def release(step: Step) -> str | None:
    return _("It is back in the queue.") if step.ask(release_callback, agent=step.user) else None


def close(step: Step) -> str | None:
    """Close it with what came of the call."""
    return _("The request is closed.") if step.ask(close_callback, agent=step.user, **step.given) else None


def close_uncalled(step: Step) -> str | None:
    """Close it although nobody spoke with the customer, and tell them or not."""
    closed = step.ask(close_without_call, agent=step.user, supervising=step.supervises, **step.given)
    return _("The request is closed.") if closed else None


def reopen(step: Step) -> str:
    """Put a request that is over back into the queue."""
    given = {"phone": "", "contact_name": "", **step.given}
    step.ask(reopen_callback, may_lift=step.supervises, **given)
    return _("It is open again. Credit counts from the same day as before.")


def log(step: Step) -> str | None:
    """Write down what came of dialing."""
    logged = step.ask(log_attempt, agent=step.user, **step.given)
    return fill(_("Noted: %(outcome)s."), {"outcome": _(step.given["outcome"].label)}) if logged else None


def move(step: Step) -> str:
    """Call in another window, or at another number."""
    phone, window, seen = step.given["phone"] or None, step.given["window"], step.given["seen"]
    step.ask(reschedule_callback, phone=phone, window_start=window, seen=seen)
    return _("The call was moved. Release it, so that it is offered when it is due.")


def hand_over(step: Step) -> str | None:
    """Give it to an agent, whoever has it."""
    to = step.given["agent"]
    return _("%(agent)s has it now.") % {"agent": to.display_name} if step.ask(reassign_callback, to=to) else None


def erase(step: Step) -> str | None:
    """Forget the contact before its time."""
    return _("Name, number and notes are erased.") if step.ask(erase_contact) else None


def why_not(pk: int) -> str:
    """Why the agent did not get it: somebody has it, or it is closed."""
    row = CallbackRequest.objects.filter(pk=pk).select_related("claimed_by").first()
    if row is None or row.status not in OPEN_STATUSES or row.claimed_by is None:
        return _("This request is not open any more, or not yours.")
    return _("%(agent)s has this request.") % {"agent": row.claimed_by.display_name}


def may_close(row: CallbackRequest, user: Any) -> bool:
    """Whether they may close it without a call: their own, or for supervisors any that no other agent has."""
    if row.status not in OPEN_STATUSES or not user.has_perm(WORK):
        return False
    free = not row.is_claimed(timezone.now()) and user.has_perm(HAND_OVER)
    return free or is_claimed_by(row, user)


def reopening(row: CallbackRequest) -> str:
    """The permission it takes: what asked not to be called is for supervisors."""
    return HAND_OVER if row.status == CallbackStatus.DO_NOT_CALL else WORK


def is_claimed_by(row: CallbackRequest, user: Any) -> bool:
    return row.claimed_by_id == user.pk and row.is_claimed(timezone.now())
