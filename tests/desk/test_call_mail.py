"""Mail about calls: the right words in the right language, an invitation that keeps itself right, and no number."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from icalendar import Calendar

from desk.attempts import CallOutcome
from desk.codes import DISPOSITIONS, CloseReason
from desk.models import CallbackRequest
from desk.selectors import open_windows
from desk.services.outcomes import close_callback, close_without_call
from desk.services.reopening import reopen_callback
from desk.services.requests import reschedule_callback, withdraw_callback
from outbox.worker import work_off
from subscriptions.models import Plan
from tenants.models import User
from tenants.people import caller_of_staff
from tests.builders import NOW, SOFIA
from tests.desk.test_desk import ask, claim, log
from tests.desk.test_on_behalf import cancel as cancel_for
from tests.desk.test_on_behalf import quote as quote_for
from tests.subscriptions.test_lifecycle import cancel
from tests.world import World, later

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(world: World) -> User:
    return world.person(None, is_staff=True)


def told() -> Any:
    """The one mail that is new."""
    mail.outbox.clear()
    work_off(lambda: later(days=20))
    [message] = mail.outbox
    assert "888" not in message.subject + str(message.body)
    assert "+359" not in message.subject + str(message.body)
    return message


def event(message: Any) -> Any:
    [part] = message.attachments
    calendar = Calendar.from_ical(part.get_payload(decode=True))
    [found] = calendar.walk("VEVENT")
    return calendar["METHOD"], found


@pytest.mark.parametrize("name", ["Team\r\nBcc: x@y.example", "Team\u2028Chat", "Team\x0b\x1c\x85\tChat", "\nTeam\n"])
def test_whatever_a_product_is_called_the_mail_and_the_appointment_are_whole(world: World, name: str) -> None:
    request = ask(world)
    told()
    Plan.objects.update(name=name)
    start = open_windows(SOFIA, NOW, 5)[3].start
    reschedule_callback(
        caller=world.caller(),
        callback_id=request.pk,
        language="en",
        phone=None,
        window_start=start,
        now=later(minutes=1),
    )
    moved = told()
    _method, appointment = event(moved)
    assert len(moved.subject.splitlines()) == len(appointment["SUMMARY"].splitlines()) == 1
    assert "Team" in appointment["SUMMARY"]
    assert "Bcc" not in moved.message()
    assert str(moved.message()["Subject"])


def test_a_call_is_booked_moved_and_withdrawn_in_one_appointment(world: World) -> None:
    request = ask(world)
    booked = told()
    assert "Ще ви се обадим за" in booked.subject
    assert request.reference in booked.subject
    assert booked.attachments == []
    start = open_windows(SOFIA, NOW, 5)[3].start
    given: dict[str, Any] = {"caller": world.caller(), "callback_id": request.pk, "language": "en"}
    reschedule_callback(**given, phone=None, window_start=start, now=later(minutes=1))
    moved = told()
    method, first = event(moved)
    assert (method, first["STATUS"], first.decoded("DTSTART")) == ("REQUEST", "CONFIRMED", start)
    assert "(София, UTC+02:00)" in moved.body
    withdraw_callback(**given, now=later(minutes=2))
    method, last = event(told())
    assert (method, last["STATUS"]) == ("CANCEL", "CANCELLED")
    assert last["UID"] == first["UID"]
    assert last["SEQUENCE"] >= first["SEQUENCE"]
    assert last.decoded("DTSTART") == start


@pytest.mark.parametrize(
    ("outcome", "words"),
    [(CallOutcome.WRONG_NUMBER, "поправете номера"), (CallOutcome.ASKED_NOT_TO_CALL, "Няма да ви се обаждаме")],
)
def test_what_an_attempt_tells(world: World, agent: User, outcome: CallOutcome, words: str) -> None:
    request = ask(world)
    told()
    assert claim(agent, request)
    log(agent, request, outcome)
    assert words in told().subject


def test_canceling_online_takes_the_appointment_back(world: World) -> None:
    request = ask(world)
    told()
    start = open_windows(SOFIA, NOW, 5)[3].start
    reschedule_callback(
        caller=world.caller(), callback_id=request.pk, phone=None, window_start=start, language="en", now=NOW
    )
    told()
    request.subscription.licenses.update(is_direct=False)
    cancel(world, request.subscription)
    mail.outbox.clear()
    work_off(lambda: later(minutes=1))
    [taken_back] = [message for message in mail.outbox if message.attachments]
    assert event(taken_back)[0] == "CANCEL"


def test_a_busy_line_tells_nothing_the_third_tells_once(world: World, agent: User) -> None:
    request = ask(world)
    told()
    for day in (0, 1, 2):
        assert claim(agent, request, days=day)
        log(agent, request, CallOutcome.BUSY, at=later(days=day))
    assert "Не успяхме да се свържем" in told().subject


@pytest.mark.parametrize("reason", DISPOSITIONS)
def test_a_done_call_says_so_and_that_nothing_was_canceled(world: World, agent: User, reason: CloseReason) -> None:
    request = ask(world)
    told()
    assert claim(agent, request)
    assert close_callback(
        agent=agent, caller=caller_of_staff(agent), callback_id=request.pk, disposition=reason, language="en", now=NOW
    )
    message = told()
    assert "приключи" in message.subject
    assert "Нищо не е анулирано" in message.body
    assert CallbackRequest.objects.get().status == "DONE"


def test_only_a_cancellation_for_the_customer_says_that_it_was_canceled(world: World, agent: User) -> None:
    request = ask(world)
    told()
    assert claim(agent, request)
    cancel_for(agent, request.subscription, quote_for(agent, request.subscription, at=NOW), at=NOW)
    mail.outbox.clear()
    work_off(lambda: later(minutes=1))
    [message] = [message for message in mail.outbox if message.to == [world.admin.email]]
    assert "е анулиран" in message.subject
    assert "Нищо не е анулирано" not in message.body


def test_closing_without_a_call_never_says_that_there_was_one(world: World, agent: User) -> None:
    start = open_windows(SOFIA, NOW, 5)[3].start
    for tell in (True, False):
        request = ask(world, window=start)
        told()
        given = {"agent": agent, "caller": caller_of_staff(agent), "callback_id": request.pk, "language": "en"}
        assert close_without_call(
            **given, disposition=CloseReason.DIRECTED_ONLINE, tell=tell, supervising=True, now=later(minutes=1)
        )
        assert not request.log.exists()
        if not tell:
            mail.outbox.clear()
            work_off(lambda: later(days=20))
            assert mail.outbox == []
            continue
        message = told()
        assert "Няма повече да ви се обаждаме" in message.subject
        assert "затворена" in message.body
        assert "приключи" not in message.subject + str(message.body)
        assert event(message)[0] == "CANCEL"


def test_a_request_that_is_taken_up_again_says_so(world: World, agent: User) -> None:
    request = ask(world)
    assert claim(agent, request)
    log(agent, request, CallOutcome.ASKED_NOT_TO_CALL)
    told_all = {"reason": "pressed the wrong one", "phone": "", "contact_name": "", "language": "en"}
    work_off(lambda: later(minutes=1))
    reopen_callback(
        caller=caller_of_staff(agent), callback_id=request.pk, may_lift=True, now=later(minutes=2), **told_all
    )
    message = told()
    assert "Все пак" in message.subject
    assert "между 09:00 и 19:00" in message.body
