"""Nobody is called at night: every instant at which a call is planned or offered is in the customer's day."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse
from time_machine import travel

from common.errors import InputInvalid
from desk.attempts import LOGGED, CallOutcome
from desk.models import CallbackRequest, CallbackSource
from desk.selectors import due_now
from desk.services.claims import claim_next, release_callback
from desk.services.requests import Wish, request_callback, reschedule_callback
from tenants.models import User
from tenants.people import caller_of_staff
from tests.admin.test_admin import client_of
from tests.builders import NOW
from tests.desk.test_desk import claim, log
from tests.world import World

pytestmark = pytest.mark.django_db

# New York meets the desk's hours in the afternoon, Tokyo in the morning; Los Angeles and Honolulu never do.
ZONES = ["Europe/Sofia", "America/New_York", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Honolulu", "Pacific/Apia"]


def ask(world: World, zone: str, at: datetime = NOW, window: datetime | None = None) -> CallbackRequest:
    return request_callback(
        caller=world.caller(),
        subscription_id=world.subscription(25).pk,
        wish=Wish("0888 123 456", "Ada", "en", zone, window, ""),
        idempotency_key=None,
        source=CallbackSource.PORTAL,
        language="en",
        now=at,
    ).request


def is_day(instant: datetime | None, zone: str) -> bool:
    return instant is None or time(9) <= instant.astimezone(ZoneInfo(zone)).time() <= time(19)


def following(agent: User, at: datetime) -> CallbackRequest | None:
    return claim_next(agent=agent, caller=caller_of_staff(agent), language="en", now=at)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour", [0, 7, 10, 15, 18, 23])
def test_as_soon_as_possible_is_in_the_customers_day(world: World, zone: str, hour: int) -> None:
    request = ask(world, zone, NOW.replace(hour=hour))
    assert is_day(request.next_attempt_at, zone)
    assert is_day(request.due_at, zone)
    assert request.next_attempt_at
    assert request.next_attempt_at <= request.due_at
    moved = reschedule_callback(
        caller=world.caller(), callback_id=request.pk, phone=None, window_start=None, language="en", now=NOW
    )
    assert is_day(moved.next_attempt_at, zone)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("outcome", LOGGED)
def test_what_follows_an_outcome_is_in_the_customers_day(
    world: World, agent: User, zone: str, outcome: CallOutcome
) -> None:
    request = ask(world, zone)
    at = request.next_attempt_at
    for _ in range(3):
        if at is None or request.closed_at:
            break
        assert claim(agent, request, seconds=int((at - NOW).total_seconds()))
        slot = at + timedelta(days=2)
        logged = log(agent, request, outcome, at=at, later=slot, other_language="en")
        assert logged
        request, at = logged, logged.next_attempt_at
        assert is_day(at, zone)
        assert is_day(request.due_at, zone)


@pytest.mark.parametrize("hours", range(0, 24, 3))
def test_the_next_call_is_one_of_somebody_who_is_awake(world: World, agent: User, hours: int) -> None:
    requests = [ask(world, zone) for zone in ZONES[:3]]
    # Nobody called them for a week: all are overdue, whatever the hour.
    at = NOW + timedelta(days=7, hours=hours)
    awake = {r.pk for r in requests if time(9) <= at.astimezone(ZoneInfo(r.time_zone)).time() < time(19)}
    assert set(due_now(at).values_list("pk", flat=True)) == awake
    CallbackRequest.objects.update(preferred_agent=agent)
    claimed = {found.pk for _ in range(4) if (found := following(agent, at))}
    assert claimed == awake


def test_what_is_given_back_at_night_waits_for_the_morning(world: World, agent: User) -> None:
    request = ask(world, "America/New_York")
    # 08:59 and 09:00 in New York; 18:59 and 19:00.
    for clock, offered in (("13:59", False), ("14:00", True), ("23:59", True), ("00:00", False)):
        at = datetime.fromisoformat(f"2026-12-02T{clock}:00+00:00").astimezone(UTC)
        found = following(agent, at)
        assert (found == request) is offered, clock
        if found:
            assert release_callback(
                agent=agent, caller=caller_of_staff(agent), callback_id=request.pk, language="en", now=at
            )


@pytest.mark.parametrize(
    ("clock", "taken"), [("08:59", False), ("09:00", True), ("18:59", True), ("19:00", False), ("03:00", False)]
)
def test_nobody_promises_a_call_at_night(world: World, agent: User, clock: str, taken: bool) -> None:
    zone = "America/New_York"
    request = ask(world, zone)
    at = request.next_attempt_at
    assert at
    assert claim(agent, request, seconds=int((at - NOW).total_seconds()))
    slot = datetime.fromisoformat(f"2026-12-03T{clock}").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    if taken:
        logged = log(agent, request, CallOutcome.CALL_LATER, at=at, later=slot)
        assert logged
        assert logged.next_attempt_at == slot
        return
    with pytest.raises(InputInvalid) as refused:
        log(agent, request, CallOutcome.CALL_LATER, at=at, later=slot)
    assert refused.value.path == ["later"]
    request.refresh_from_db()
    assert request.status == "CLAIMED"


@pytest.fixture
def desk(world: World) -> Any:
    user = world.person(None, is_staff=True)
    user.groups.add(Group.objects.get(name="Callback agents"))
    with travel(NOW + timedelta(days=7), tick=False):
        return client_of(user)


@pytest.mark.parametrize(("language", "day", "night"), [("en", "day", "too early"), ("bg", "ден", "твърде рано")])
def test_the_queue_and_the_case_say_their_time_and_whether_it_is_day(
    world: World, desk: Any, language: str, day: str, night: str
) -> None:
    near, far = ask(world, "Europe/Sofia"), ask(world, "America/New_York")
    path = reverse("admin:desk_callbackrequest_changelist")

    def look(path: str, **asked: str) -> Any:
        return desk.get(path, asked, headers={"Wayout-Locale": language})

    with travel(NOW + timedelta(days=7), tick=False):
        # 12:00 in Sofia, 05:00 in New York.
        offered = look(path)
        assert [row.pk for row in offered.context["cl"].result_list] == [near.pk]
        assert look(reverse("admin:desk_callbackrequest_due")).json()["count"] == 1
        waiting = look(path, queue="waiting")
        assert [row.pk for row in waiting.context["cl"].result_list] == [far.pk]
        assert f"05:00 · {night}" in waiting.text
        assert f"12:00 · {day}" in offered.text
        shown = look(reverse("admin:desk_callbackrequest_change", args=[far.pk])).text
        assert f"05:00 · {night}" in shown
        assert ("Ню Йорк" if language == "bg" else "New York") in shown


def test_who_claims_a_case_at_night_is_told_not_to_dial(world: World, desk: Any) -> None:
    request = ask(world, "Europe/Sofia")
    case = reverse("admin:desk_callbackrequest_change", args=[request.pk])
    warning = "It is night there: do not call before 09:00 of their time."
    # 23:00 and 12:00 in Sofia.
    for at, warned in ((NOW + timedelta(hours=11), True), (NOW + timedelta(hours=24), False)):
        with travel(at, tick=False):
            assert desk.post(reverse("admin:desk_callbackrequest_claim", args=[request.pk])).status_code == 302
            assert (warning in desk.get(case).text) is warned
