"""The desk keeps its promises: attempts, opt-out, the next call, and what is forgotten."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.mail import EmailMessage
from django.db import connection
from django.db.models import QuerySet

from common.errors import ChangedMeanwhile, InputInvalid
from common.keys import key_id
from desk.attempts import CallOutcome
from desk.codes import DISPOSITIONS, CloseReason
from desk.errors import DoNotCall
from desk.models import CallbackAttempt, CallbackDesk, CallbackRequest, CallbackSource, OptOut
from desk.selectors import due_now, open_windows
from desk.services.cases import subject_of
from desk.services.claims import claim_callback, claim_next, reassign_callback, release_callback
from desk.services.contacts import (
    erase_contact,
    erase_old_contacts,
    is_opted_out,
    lift,
    never_call,
    opt_out_digests,
    opt_outs_by_key,
)
from desk.services.outcomes import close_callback, close_without_call, log_attempt
from desk.services.requests import Wish, request_callback, reschedule_callback
from tenants.audit import events_about
from tenants.models import AuditEvent, AuditPersonalData, User
from tenants.people import SYSTEM, caller_of_staff
from tenants.verification import verify
from tests.builders import NOW, SOFIA
from tests.rotation import rotate
from tests.subscriptions.test_lifecycle import work
from tests.world import World, later

pytestmark = pytest.mark.django_db


def ask(world: World, phone: str = "0888 123 456", **given: Any) -> CallbackRequest:
    return request_callback(
        caller=world.caller(),
        subscription_id=world.subscription(25).pk,
        wish=Wish(phone, "Ada", "bg", "Europe/Sofia", given.get("window"), "about the invoice"),
        idempotency_key=None,
        source=CallbackSource.PORTAL,
        language="en",
        now=given.get("now", NOW),
    ).request


def claim(agent: User, request: CallbackRequest, **span: int) -> bool:
    return claim_callback(
        agent=agent, caller=caller_of_staff(agent), callback_id=request.pk, language="en", now=later(**span)
    )


def log(
    agent: User, request: CallbackRequest, outcome: CallOutcome, *, at: Any = NOW, **given: Any
) -> CallbackRequest | None:
    values = {"note": "", "later": None, "other_language": "", **given}
    return log_attempt(
        agent=agent,
        caller=caller_of_staff(agent),
        callback_id=request.pk,
        outcome=outcome,
        language="en",
        now=at,
        **values,
    )


def following(agent: User, at: Any = NOW) -> CallbackRequest | None:
    return claim_next(agent=agent, caller=caller_of_staff(agent), language="en", now=at)


def test_three_times_nobody_answers(world: World, agent: User) -> None:
    request, at = ask(world), NOW
    for number in (1, 2, 3):
        found = following(agent, at)
        assert found
        logged = log(agent, found, CallOutcome.NO_ANSWER, at=at)
        assert logged
        assert (logged.attempts, logged.claimed_by) == (number, None)
        assert following(agent, at) is None
        assert logged.next_attempt_at
        at = logged.next_attempt_at
    assert logged.status == "UNREACHABLE"
    # Never voided: the place in the queue and the credit are what they were.
    assert (logged.requested_at, logged.credit_from) == (request.requested_at, request.credit_from)
    assert following(agent, at) == logged
    assert [(a.number, a.counts) for a in CallbackAttempt.objects.order_by("number")] == [
        (1, True),
        (2, True),
        (3, True),
    ]


def test_a_slot_is_kept_for_the_same_agent(world: World, agent: User) -> None:
    first, slot = ask(world), later(days=3)
    assert claim(agent, first)
    for wrong in (None, NOW, later(days=31)):
        with pytest.raises(InputInvalid):
            log(agent, first, CallOutcome.CALL_LATER, later=wrong)
    logged = log(agent, first, CallOutcome.CALL_LATER, later=slot)
    assert logged
    assert (logged.status, logged.attempts, logged.next_attempt_at) == ("SCHEDULED", 0, slot)
    other = world.person(None, is_staff=True)
    sooner = ask(world, "0888 123 457")
    assert following(agent, slot) == logged
    assert following(other, slot) == sooner


def test_a_wrong_number_rests_until_the_customer_corrects_it(world: World, agent: User) -> None:
    request = ask(world)
    assert claim(agent, request)
    logged = log(agent, request, CallOutcome.WRONG_NUMBER)
    assert logged
    assert (logged.status, logged.next_attempt_at, logged.attempts) == ("NEW", None, 0)
    assert following(agent, later(days=20)) is None


def test_a_wrong_number_waits_for_another_one_whatever_else_is_asked_for(world: World, agent: User) -> None:
    request = ask(world)
    assert claim(agent, request)
    log(agent, request, CallOutcome.WRONG_NUMBER)

    def move(phone: str | None) -> CallbackRequest:
        return reschedule_callback(
            caller=world.caller(), callback_id=request.pk, phone=phone, window_start=None, language="en", now=NOW
        )

    for phone in (None, "0888 123 456"):
        with pytest.raises(InputInvalid) as refused:
            move(phone)
        assert refused.value.path == ["phone"]
    assert following(agent, later(days=1)) is None
    assert move("0888 123 457").next_attempt_at == NOW
    assert move(None).phone == "+359888123457"


def test_release_gives_back_what_was_claimed(world: World, agent: User) -> None:
    window = open_windows(SOFIA, NOW, 2)[-1].start
    rests, chosen = ask(world), ask(world, "0888 123 457", window=window)
    slot, never = ask(world, "0888 123 458"), ask(world, "0888 123 459")
    assert claim(agent, rests)
    log(agent, rests, CallOutcome.WRONG_NUMBER)
    assert claim(agent, slot)
    log(agent, slot, CallOutcome.CALL_LATER, later=later(days=1))
    for day in (0, 1, 2):
        assert claim(agent, never, days=day)
        log(agent, never, CallOutcome.NO_ANSWER, at=later(days=day))
    colleague = world.person(None, is_staff=True)
    for request in (rests, chosen, slot, never):
        request.refresh_from_db()
        # Claimed again and again, handed over, after a claim that ran out: it is what it was before the first.
        assert claim(colleague, request, days=3)
        assert claim(agent, request, days=3, hours=1)
        assert claim(agent, request, days=3, hours=1)
        supervisor = caller_of_staff(colleague)
        given = {"callback_id": request.pk, "language": "en", "now": later(days=3, hours=1)}
        assert reassign_callback(to=colleague, caller=supervisor, **given)
        assert release_callback(agent=colleague, caller=supervisor, **given)
        before = request.status, request.next_attempt_at
        request.refresh_from_db()
        assert (request.status, request.next_attempt_at) == before
    assert [r.status for r in (rests, chosen, slot, never)] == ["NEW", "SCHEDULED", "SCHEDULED", "UNREACHABLE"]


def test_what_was_moved_while_it_was_claimed_is_given_back_as_moved(world: World, agent: User) -> None:
    request = ask(world)
    assert claim(agent, request)
    window = open_windows(SOFIA, NOW, 2)[-1].start
    given = {"caller": caller_of_staff(agent), "callback_id": request.pk, "language": "en", "now": NOW}
    reschedule_callback(**given, phone=None, window_start=window)
    assert release_callback(agent=agent, **given)
    request.refresh_from_db()
    assert (request.status, request.next_attempt_at) == ("SCHEDULED", window)


def test_another_language_goes_back_with_it(world: World, agent: User) -> None:
    request = ask(world)
    assert claim(agent, request)
    with pytest.raises(InputInvalid):
        log(agent, request, CallOutcome.LANGUAGE_NEEDED, other_language="xx")
    logged = log(agent, request, CallOutcome.LANGUAGE_NEEDED, other_language="en")
    assert logged
    assert (logged.language, logged.attempts, logged.next_attempt_at) == ("en", 0, NOW)


def test_who_asked_not_to_be_called_is_not(world: World, agent: User) -> None:
    request = ask(world)
    assert claim(agent, request)
    logged = log(agent, request, CallOutcome.ASKED_NOT_TO_CALL)
    assert logged
    assert (logged.status, logged.close_reason) == ("DO_NOT_CALL", "ASKED_NOT_TO_CALL")
    assert request.phone.lstrip("+") not in OptOut.objects.get().digest
    with pytest.raises(DoNotCall):
        ask(world, "00359 888 123 456")
    assert ask(world, "0888 123 457").status == "NEW"
    # Another tenant learns nothing of it.
    assert ask(World.build(), "0888 123 456").status == "NEW"


def test_every_call_to_a_number_that_asked_not_to_be_called_leaves_the_queue(
    world: World, agent: User, mailoutbox: list[EmailMessage]
) -> None:
    elsewhere = ask(World.build(), now=NOW - timedelta(days=2))
    asked, waits, rests, another = ask(world), ask(world), ask(world), ask(world, "0888 123 457")
    assert claim(agent, rests)
    log(agent, rests, CallOutcome.WRONG_NUMBER)
    colleague = world.person(None, is_staff=True)
    assert claim(colleague, waits)
    assert claim(agent, asked)
    log(agent, asked, CallOutcome.ASKED_NOT_TO_CALL)
    for request in (asked, waits, rests):
        request.refresh_from_db()
        assert (request.status, request.close_reason, request.claimed_by) == ("DO_NOT_CALL", "ASKED_NOT_TO_CALL", None)
        assert (
            AuditEvent.objects.filter(action="callback.asked_not_to_call", subject=subject_of(request.pk)).count() == 1
        )
    assert log(colleague, waits, CallOutcome.BUSY) is None
    work(NOW)
    told = [mail.subject for mail in mailoutbox if "Няма да ви се обаждаме" in mail.subject]
    assert len(told) == len({*told}) == 3
    assert {following(agent), following(agent), following(agent)} == {another, elsewhere, None}


@pytest.mark.parametrize("how", ["next", "by id", "handed over"])
def test_no_claim_hands_out_a_number_that_asked_not_to_be_called(world: World, agent: User, how: str) -> None:
    request = ask(world)
    # Asked for in the very moment in which the number was put on the list.
    [digest] = opt_out_digests(world.tenant.pk, request.phone).values()
    OptOut.objects.create(digest=digest, asked_at=NOW)
    match how:
        case "next":
            assert following(agent) is None
        case "by id":
            assert not claim(agent, request)
        case _:
            caller = caller_of_staff(agent)
            assert not reassign_callback(to=agent, caller=caller, callback_id=request.pk, language="en", now=NOW)
    request.refresh_from_db()
    assert (request.status, request.claimed_by, request.next_attempt_at) == ("DO_NOT_CALL", None, None)
    assert not list(verify(world.tenant.pk))


def test_nothing_is_logged_without_a_live_claim(world: World, agent: User) -> None:
    request, other = ask(world), world.person(None, is_staff=True)
    assert log(agent, request, CallOutcome.BUSY) is None
    assert claim(other, request)
    assert log(agent, request, CallOutcome.BUSY) is None
    assert log(other, request, CallOutcome.BUSY, at=later(minutes=21)) is None
    assert claim(agent, request, minutes=21)
    assert not CallbackAttempt.objects.exists()
    assert release_callback(
        agent=agent, caller=caller_of_staff(agent), callback_id=request.pk, language="en", now=later(minutes=22)
    )
    assert list(CallbackAttempt.objects.values_list("outcome", "counts")) == [("RELEASED", False)]


def test_the_next_call_is_the_overdue_one_then_the_one_that_waits_longest(world: World, agent: User) -> None:
    third, first = ask(world), ask(world, "0888 123 457", now=NOW - timedelta(days=4))
    second = ask(world, "0888 123 458", now=NOW - timedelta(days=1))
    assert [following(agent), following(agent), following(agent), following(agent)] == [first, second, third, None]


def test_contacts_are_forgotten_a_month_after_the_case_closed(world: World, agent: User) -> None:
    request, still_open = ask(world), ask(world, "0888 123 457")
    assert claim(agent, request)
    log(agent, request, CallOutcome.ASKED_NOT_TO_CALL, note="please never")
    assert erase_old_contacts(later(days=29)) == 0
    assert erase_old_contacts(later(days=30)) == 1
    assert erase_old_contacts(later(days=90)) == 0
    request.refresh_from_db()
    kept = (request.contact_name, request.phone, request.phone_as_typed, request.note, request.log.get().note)
    assert kept == ("", "", "", "", "")
    assert (request.log.get().outcome, bool(request.reference)) == ("ASKED_NOT_TO_CALL", True)
    still_open.refresh_from_db()
    assert still_open.phone
    assert not erase_contact(caller=SYSTEM, callback_id=still_open.pk, language="en", now=NOW)
    assert "359888123456" not in str(list(contacts_of(request).values_list("data", flat=True)))
    assert not list(verify(world.tenant.pk))


def contacts_of(request: CallbackRequest) -> QuerySet[AuditPersonalData]:
    return AuditPersonalData.objects.filter(event__subject=f"CallbackRequest:{request.pk}")


def test_the_queue_is_read_in_its_order_without_sorting_it(world: World) -> None:
    request = ask(world)
    rows = [
        CallbackRequest(**{**values, "pk": None, "reference": f"R-{number}", "subscription_id": subscription.pk})
        for values in CallbackRequest.objects.filter(pk=request.pk).values()
        for number in range(300)
        for subscription in [world.subscription(0, charged=None)]
    ]
    CallbackRequest.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        if connection.vendor == "postgresql":
            # A table this small is read whole and sorted otherwise.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
    plan = due_now(NOW)[:1].explain()
    assert "callback_queue" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


def test_a_booking_made_before_the_windows_changed_still_takes_its_place(world: World) -> None:
    CallbackDesk.objects.update(window_capacity=1)
    booked = open_windows(SOFIA, NOW, 1)[0]
    ask(world, window=booked.start)
    CallbackDesk.objects.update(window_minutes=60)
    assert all(window.start >= booked.end for window in open_windows(SOFIA, NOW, 1))


def test_a_call_is_due_when_it_was_promised(world: World, agent: User) -> None:
    soon = ask(world)
    # Four business hours after NOW, Wednesday 12:00 in Sofia.
    assert (soon.next_attempt_at, soon.due_at) == (NOW, later(hours=4))
    window = open_windows(SOFIA, NOW, 2)[-1]
    chosen = ask(world, "0888 123 457", window=window.start)
    assert (chosen.next_attempt_at, chosen.due_at) == (window.start, window.end)
    assert claim(agent, soon)
    slot = later(days=2)
    moved = log(agent, soon, CallOutcome.CALL_LATER, later=slot)
    assert moved
    assert (moved.next_attempt_at, moved.due_at) == (slot, slot)


def test_a_supervisor_hands_a_call_over_and_closes_what_nobody_has(world: World, agent: User) -> None:
    request, other = ask(world), world.person(None, is_staff=True)
    assert claim(agent, request)

    def hand_over(to: User) -> bool:
        return reassign_callback(to=to, caller=caller_of_staff(agent), callback_id=request.pk, language="en", now=NOW)

    assert hand_over(other)
    assert not hand_over(other)
    assert log(agent, request, CallOutcome.BUSY) is None
    # After their claim has run out it is theirs first.
    assert following(other, later(minutes=21)) == request
    assert not close(agent, request, supervising=True)
    assert not close(agent, request, supervising=False)
    assert close(agent, request, supervising=True, at=later(minutes=42))
    assert not hand_over(agent)
    assert AuditEvent.objects.filter(action="callback.reassigned").count() == 1


def close(agent: User, request: CallbackRequest, *, supervising: bool, at: Any = NOW, seen: Any = None) -> bool:
    given = {
        "agent": agent, "caller": caller_of_staff(agent), "callback_id": request.pk, "disposition": CloseReason.OTHER,
        "language": "en", "now": at, "seen": seen,
    }  # fmt: skip
    return close_without_call(**given, tell=False, supervising=True) if supervising else close_callback(**given)


@pytest.mark.parametrize("reason", [reason for reason in CloseReason if reason not in DISPOSITIONS])
def test_nobody_can_say_that_it_was_canceled_without_canceling_it(
    world: World, agent: User, reason: CloseReason
) -> None:
    request = ask(world)
    assert claim(agent, request)
    given = {
        "agent": agent, "caller": caller_of_staff(agent), "callback_id": request.pk, "disposition": reason,
        "language": "en", "now": NOW,
    }  # fmt: skip
    for act in (
        lambda: close_callback(**given),
        lambda: close_without_call(**given, tell=True, supervising=False),
        lambda: close_without_call(**given, tell=True, supervising=True),
    ):
        with pytest.raises(InputInvalid) as refused:
            act()
        assert refused.value.path == ["disposition"]
    request.refresh_from_db()
    assert (request.status, request.close_reason) == ("CLAIMED", "")


def test_what_was_changed_since_the_page_was_shown_is_not_overwritten(world: World, agent: User) -> None:
    request = ask(world)
    assert claim(agent, request)
    [*_, last] = events_about(world.tenant.pk, subject_of(request.pk))
    moved = {
        "caller": world.caller(),
        "callback_id": request.pk,
        "phone": "0888 765 432",
        "window_start": None,
        "language": "en",
        "now": NOW,
    }
    reschedule_callback(**moved)
    for act in (
        lambda: log(agent, request, CallOutcome.BUSY, seen=last.position),
        lambda: close(agent, request, supervising=False, seen=last.position),
        lambda: reschedule_callback(**{**moved, "phone": "0888 111 222"}, seen=last.position),
    ):
        with pytest.raises(ChangedMeanwhile):
            act()
    request.refresh_from_db()
    assert (request.phone, request.status, request.attempts) == ("+359888765432", "CLAIMED", 0)
    assert close(agent, request, supervising=False, seen=last.position + 1)


def test_what_the_customer_postponed_is_not_given_back_by_asking_for_an_earlier_time_later(world: World) -> None:
    far = open_windows(SOFIA, NOW, 30)[-1].start

    def move(request: CallbackRequest, start: datetime | None, at: datetime) -> datetime:
        return reschedule_callback(
            caller=world.caller(), callback_id=request.pk, phone=None, window_start=start, language="en", now=at
        ).credit_from

    request = ask(world, window=far)
    postponed = request.credit_from
    assert postponed > later(days=20)
    # What has not passed yet is theirs again; what has passed is gone.
    assert move(request, None, later(days=3)) == later(days=3)
    assert move(request, None, later(days=6)) == later(days=3)
    assert move(request, far, later(days=6)) == postponed
    assert move(request, far, postponed + timedelta(hours=1)) == postponed
    assert move(request, None, postponed + timedelta(hours=2)) == postponed
    # Asking anew for what is open already is no way around it, and waiting for us still costs nothing.
    again = request_callback(
        caller=world.caller(), subscription_id=request.subscription_id,
        wish=Wish("0888 123 456", "Ada", "bg", "Europe/Sofia", None, ""), idempotency_key=None,
        source=CallbackSource.PORTAL, language="en", now=postponed + timedelta(hours=3),
    )  # fmt: skip
    assert (again.existing, again.request.credit_from) == (True, postponed)
    waits = ask(world, "0888 123 457")
    assert move(waits, None, later(days=9)) == waits.requested_at


def test_staff_moving_a_call_never_costs_credit(world: World, agent: User) -> None:
    request = ask(world)
    far = open_windows(SOFIA, NOW, 30)[-1]
    move = {"callback_id": request.pk, "phone": None, "window_start": far.start, "language": "en", "now": NOW}
    assert reschedule_callback(caller=caller_of_staff(agent), **move).credit_from == request.requested_at
    assert reschedule_callback(caller=world.caller(), **move).credit_from > request.requested_at


def test_a_number_stays_on_the_list_when_the_key_becomes_another(world: World, agent: User, settings: Any) -> None:
    request = ask(world)
    assert claim(agent, request)
    log(agent, request, CallOutcome.ASKED_NOT_TO_CALL)
    before = key_id(settings.SECRET_KEY)
    assert opt_outs_by_key() == {before: 1}
    rotate(settings)
    with pytest.raises(DoNotCall):
        ask(world)
    request.refresh_from_db()
    never_call(request, NOW)
    assert opt_outs_by_key() == {before: 1}
    # Where it signs nothing any more it is still looked up under.
    settings.SECRET_KEY_FALLBACKS, settings.WAYOUT_DIGEST_KEYS = [], settings.SECRET_KEY_FALLBACKS
    with pytest.raises(DoNotCall):
        ask(world)
    lift(world.tenant.pk, request.phone, may_lift=True)
    assert ask(world).status == "NEW"


@pytest.mark.parametrize("another_key", [True, False])
def test_numbers_of_the_version_before_say_the_key_that_it_knew(world: World, settings: Any, another_key: bool) -> None:
    before = key_id(settings.SECRET_KEY)
    [digest] = opt_out_digests(world.tenant.pk, "+359888123456").values()
    OptOut.objects.create(digest=digest, asked_at=NOW)
    if another_key:
        rotate(settings)
    import_module("desk.migrations.0004_opt_out_keys").say_the_key(apps, None)
    assert opt_outs_by_key() == {before: 1}
    assert is_opted_out(world.tenant.pk, "+359888123456")
