"""A request that is over can be taken up again: with a reason, in its place, and as if it had never been closed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from common.errors import InputInvalid, NotFound, NotPermitted
from desk.attempts import CallOutcome
from desk.codes import OPEN_STATUSES, CallbackStatus, CloseReason
from desk.errors import CallbackOpen, DoNotCall
from desk.models import CallbackRequest, OptOut
from desk.selectors import open_windows
from desk.services.claims import claim_next
from desk.services.contacts import erase_contact, erase_old_contacts
from desk.services.outcomes import close_callback, log_attempt
from desk.services.reopening import reopen_callback
from desk.services.requests import withdraw_callback
from subscriptions.cancellations.service import undo_cancellation
from subscriptions.errors import RouteNotAvailable
from tenants.models import AuditEvent, User
from tenants.people import SYSTEM, caller_of_staff
from tenants.verification import verify
from tests.builders import NOW, SOFIA
from tests.desk.test_desk import ask, claim, log
from tests.desk.test_on_behalf import cancel, quote
from tests.graphql.test_access import everything
from tests.world import World, later

pytestmark = pytest.mark.django_db


def over(world: World, agent: User, request: CallbackRequest, status: CallbackStatus) -> CallbackRequest:
    """End a request in each of the ways in which one ends."""
    match status:
        case CallbackStatus.WITHDRAWN:
            withdraw_callback(caller=world.caller(), callback_id=request.pk, language="en", now=NOW)
        case CallbackStatus.DO_NOT_CALL:
            assert claim(agent, request)
            log(agent, request, CallOutcome.ASKED_NOT_TO_CALL)
        case CallbackStatus.UNREACHABLE:
            for day in (0, 1, 2):
                assert claim(agent, request, days=day)
                log(agent, request, CallOutcome.NO_ANSWER, at=later(days=day))
        case _:
            assert claim(agent, request)
            assert close_callback(
                agent=agent, caller=caller_of_staff(agent), callback_id=request.pk,
                disposition=CloseReason.CUSTOMER_KEEPS, language="en", now=NOW,
            )  # fmt: skip
    request.refresh_from_db()
    assert request.status == status
    return request


def reopen(agent: User, request: CallbackRequest, *, at: Any = None, **given: Any) -> CallbackRequest:
    values = {"reason": "it was a mistake", "phone": "", "contact_name": "", "may_lift": True, **given}
    return reopen_callback(
        caller=caller_of_staff(agent), callback_id=request.pk, language="en", now=at or later(days=3), **values
    )


WAYS = [CallbackStatus.DONE, CallbackStatus.WITHDRAWN, CallbackStatus.UNREACHABLE, CallbackStatus.DO_NOT_CALL]


@pytest.mark.parametrize("status", WAYS)
def test_what_is_over_waits_again_and_credit_counts_as_before(
    world: World, agent: User, status: CallbackStatus
) -> None:
    far = open_windows(SOFIA, NOW, 30)[-1]
    request = over(world, agent, ask(world, window=far.start), status)
    CallbackRequest.objects.filter(pk=request.pk).update(preferred_agent=agent)
    credit, log_before = request.credit_from, request.log.count()
    assert credit > request.requested_at
    again = reopen(agent, request)
    again.refresh_from_db()
    assert (again.status, again.attempts, again.close_reason, again.closed_at) == ("NEW", 0, "", None)
    assert (again.requested_at, again.credit_from) == (NOW, credit)
    assert (again.reference, again.phone, again.contact_name) == (request.reference, "+359888123456", "Ada")
    assert (again.window_start, again.next_attempt_at, again.claimed_by) == (None, later(days=5, hours=-3), None)
    assert again.log.count() == log_before
    # It is offered like any other, and can be closed, and reopened, once more.
    monday = later(days=5)
    found = claim_next(agent=agent, caller=caller_of_staff(agent), language="en", now=monday)
    assert found == again
    assert close_callback(
        agent=agent, caller=caller_of_staff(agent), callback_id=again.pk, disposition=CloseReason.OTHER,
        language="en", now=monday,
    )  # fmt: skip
    assert reopen(agent, again, at=later(days=6)).credit_from == credit


def test_the_trail_says_who_reopened_it_and_why(world: World, agent: User) -> None:
    request = over(world, agent, ask(world), CallbackStatus.DONE)
    reopen(agent, request, reason="  they rang and want to go after all ")
    event = AuditEvent.objects.latest("position")
    assert (event.action, event.actor_id) == ("callback.reopened", agent.pk)
    assert event.data["reason"] == "they rang and want to go after all"
    assert event.data["credit_from"] == request.credit_from.isoformat().replace("+00:00", "Z")
    assert not list(verify(world.tenant.pk))


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\x00b"])
def test_without_a_reason_nothing_is_done(world: World, agent: User, reason: str) -> None:
    request = over(world, agent, ask(world), CallbackStatus.DONE)
    before = everything()
    with pytest.raises(InputInvalid) as refused:
        reopen(agent, request, reason=reason)
    assert refused.value.path == ["reason"]
    assert everything() == before


@pytest.mark.parametrize("status", [s for s in OPEN_STATUSES if s != CallbackStatus.UNREACHABLE])
def test_what_is_open_is_not_reopened(world: World, agent: User, status: CallbackStatus) -> None:
    request = ask(world, window=open_windows(SOFIA, NOW, 2)[-1].start if status == "SCHEDULED" else None)
    if status == CallbackStatus.CLAIMED:
        assert claim(agent, request)
    before = everything()
    with pytest.raises(CallbackOpen) as refused:
        reopen(agent, request)
    assert (refused.value.callback, refused.value.reference) == (request.pk, request.reference)
    assert everything() == before


@pytest.mark.parametrize("status", [s for s in WAYS if s != CallbackStatus.UNREACHABLE])
def test_another_open_request_is_named(world: World, agent: User, status: CallbackStatus) -> None:
    request = over(world, agent, ask(world), status)
    other = CallbackRequest.objects.get(pk=request.pk)
    other.pk, other.reference, other.status, other.closed_at = None, "R-OTHER", "NEW", None
    other.save(force_insert=True)
    before = everything()
    with pytest.raises(CallbackOpen) as refused:
        reopen(agent, request)
    assert refused.value.callback == other.pk
    assert everything() == before


def test_an_erased_number_is_given_anew(world: World, agent: User) -> None:
    request = over(world, agent, ask(world), CallbackStatus.DONE)
    assert erase_contact(caller=SYSTEM, callback_id=request.pk, language="en", now=NOW)
    before = everything()
    with pytest.raises(InputInvalid) as refused:
        reopen(agent, request)
    assert refused.value.path == ["phone"]
    assert everything() == before
    again = reopen(agent, request, phone="0888 999 111", contact_name="Grace")
    assert (again.phone, again.contact_name, again.erased_at) == ("+359888999111", "Grace", None)
    # Once it is over again, it is forgotten again.
    withdraw_callback(caller=world.caller(), callback_id=request.pk, language="en", now=later(days=4))
    assert erase_old_contacts(later(days=34)) == 1


def test_a_do_not_call_comes_off_the_list_for_who_may_lift_it(world: World, agent: User) -> None:
    request = over(world, agent, ask(world), CallbackStatus.DO_NOT_CALL)
    before = everything()
    with pytest.raises(NotPermitted):
        reopen(agent, request, may_lift=False)
    assert everything() == before
    assert erase_contact(caller=SYSTEM, callback_id=request.pk, language="en", now=NOW)
    reopen(agent, request, phone="0888 123 456")
    assert not OptOut.objects.exists()
    assert ask(world, "0888 123 456").phone == "+359888123456"


@pytest.mark.parametrize("erased", [True, False])
def test_a_number_that_asked_not_to_be_called_is_for_supervisors_in_every_request(
    world: World, agent: User, erased: bool
) -> None:
    done = over(world, agent, ask(world), CallbackStatus.DONE)
    over(world, agent, ask(world), CallbackStatus.DO_NOT_CALL)
    if erased:
        assert erase_contact(caller=SYSTEM, callback_id=done.pk, language="en", now=NOW)
    given = {"phone": "0888 123 456"} if erased else {}
    before = everything()
    with pytest.raises(DoNotCall):
        reopen(agent, done, **given, may_lift=False)
    assert everything() == before
    assert reopen(agent, done, **given).status == "NEW"
    assert not OptOut.objects.exists()
    assert claim(agent, done, days=3)


def test_a_wrong_number_is_corrected_before_it_is_called_again(world: World, agent: User) -> None:
    request = ask(world)
    assert claim(agent, request)
    log(agent, request, CallOutcome.WRONG_NUMBER)
    withdraw_callback(caller=world.caller(), callback_id=request.pk, language="en", now=NOW)
    before = everything()
    for phone in ("", "0888 123 456"):
        with pytest.raises(InputInvalid) as refused:
            reopen(agent, request, phone=phone)
        assert refused.value.path == ["phone"]
    assert everything() == before
    assert reopen(agent, request, phone="0888 999 111").phone == "+359888999111"


def test_there_is_nothing_to_call_about_once_it_is_canceled(world: World, agent: User) -> None:
    request = ask(world)
    assert claim(agent, request)
    done = cancel(agent, request.subscription, quote(agent, request.subscription, at=NOW), at=NOW).cancellation
    before = everything()
    with pytest.raises(RouteNotAvailable):
        reopen(agent, request, at=later(hours=1))
    assert everything() == before
    undo_cancellation(caller=caller_of_staff(agent), cancellation_id=done.pk, language="en", now=later(hours=2))
    assert reopen(agent, request, at=later(hours=3)).status == "NEW"


def test_nobody_answering_counts_anew(world: World, agent: User) -> None:
    request = over(world, agent, ask(world), CallbackStatus.UNREACHABLE)
    again = reopen(agent, request)
    assert claim(agent, again, days=6)
    logged = log_attempt(
        agent=agent, caller=caller_of_staff(agent), callback_id=again.pk, outcome=CallOutcome.BUSY, note="", later=None,
        other_language="", language="en", now=later(days=6),
    )  # fmt: skip
    assert logged
    assert (logged.status, logged.attempts) == ("NEW", 1)
    assert again.log.count() == 4


def test_what_is_not_there_is_not_reopened(agent: User) -> None:
    with pytest.raises(NotFound):
        reopen(agent, CallbackRequest(pk=999_999), at=NOW + timedelta(days=1))
