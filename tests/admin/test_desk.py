"""The desk in the admin: cancel for the customer, and who may do what."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.models import Refund
from common.exports import csv_response
from desk.models import CallbackDesk, CallbackRequest, CallbackSource, OptOut
from desk.selectors import open_windows
from desk.services.requests import Wish, request_callback, reschedule_callback, withdraw_callback
from outbox.models import Task
from subscriptions.models import Cancellation
from tenants.models import User
from tests.admin.test_admin import callback, client_of, press
from tests.builders import NOW, SOFIA
from tests.graphql.test_access import everything
from tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


@pytest.fixture
def frozen() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def member(world: World, group: str, **given: Any) -> User:
    user = world.person(None, is_staff=True, **given)
    user.groups.add(Group.objects.get(name=group))
    return user


def page_of(name: str, *args: Any) -> str:
    app = "desk" if name.startswith("callback") else "subscriptions"
    return reverse(f"admin:{app}_{name}", args=args)


def cancel(client: Client, request: CallbackRequest, **typed: str) -> Any:
    address = page_of("subscription_cancel", request.subscription_id)
    page = client.get(address).text
    form = {name: re.findall(rf'name="{name}" value="([^"]+)"', page)[0] for name in ("quote", "key", "mode")}
    return client.post(address, {**form, "reason": "asked on the phone", **typed}, follow=True)


def test_a_supervisor_settles_on_an_amount_and_an_agent_cannot(world: World) -> None:
    request = callback(world)
    supervisor = client_of(member(world, "Callback supervisors"))
    page = supervisor.get(page_of("subscription_cancel", request.subscription_id)).text
    assert f"For the call {request.reference}" in page
    assert "at most €20.00" in page
    agent = client_of(member(world, "Callback agents"))
    assert 'name="amount"' not in agent.get(page_of("subscription_cancel", request.subscription_id)).text
    cancel(agent, request, amount="20.00")
    assert Refund.objects.get().amount == 400
    other = callback(world, 2)
    cancel(supervisor, other, amount="12,50")
    assert Refund.objects.latest("pk").amount == 1250


@pytest.mark.parametrize("amount", ["20.01", "-1", "abc", "1.234", "1e3", "NaN"])
def test_an_amount_that_cannot_be_is_refused_beside_its_field(world: World, amount: str) -> None:
    request = callback(world)
    supervisor = client_of(member(world, "Callback supervisors"))
    before = everything()
    page = cancel(supervisor, request, amount=amount)
    assert "An amount from 0 to €20.00" in page.text
    assert cancel(supervisor, request, reason="").context["forms"][0].errors["reason"]
    assert everything() == before


def test_pressing_twice_shows_what_is_in_force(world: World) -> None:
    request = callback(world)
    client = client_of(member(world, "Callback agents"))
    address = page_of("subscription_cancel", request.subscription_id)
    stale = client.get(address).text
    cancel(client, request)
    form = {name: re.findall(rf'name="{name}" value="([^"]+)"', stale)[0] for name in ("quote", "key", "mode")}
    again = client.post(address, {**form, "reason": "again"}, follow=True)
    assert again.redirect_chain[-1][0] == page_of("cancellation_change", Cancellation.objects.get().pk)
    assert "asked on the phone" in again.text


def seen(client: Client, request: CallbackRequest) -> str:
    return re.findall(r'name="seen" value="(\d+)"', client.get(page_of("callbackrequest_change", request.pk)).text)[0]


def test_a_page_says_who_changed_what_meanwhile(world: World) -> None:
    request, ada = callback(world), member(world, "Callback agents", first_name="Grace")
    client = client_of(ada)
    press(client, "claim", request.pk)
    opened = seen(client, request)
    reschedule_callback(
        caller=world.caller(), callback_id=request.pk, phone="0888 999 888", window_start=None, language="en", now=NOW
    )
    for name, typed in (
        ("close", {"disposition": "OTHER"}),
        ("attempt", {"outcome": "BUSY", "other_language": "bg"}),
        ("move", {}),
    ):
        before = everything()
        page = client.post(page_of(f"callbackrequest_{name}", request.pk), {"seen": opened, **typed})
        assert page.status_code == 409
        assert f"{world.admin.display_name}</td><td>moved the call" in page.text
        assert everything() == before
    assert "closed" in press(client, "close", request.pk, disposition="OTHER").text


def test_a_call_is_moved_by_its_agent(world: World) -> None:
    request, client = callback(world), client_of(member(world, "Callback agents"))
    assert "Claim it first" in press(client, "move", request.pk).text
    press(client, "claim", request.pk)
    [window, *_] = open_windows(SOFIA, NOW, 5)
    moved = press(client, "move", request.pk, window=window.start.isoformat(), phone="0888 123 777")
    assert "The call was moved" in moved.text
    request.refresh_from_db()
    assert (request.window_start, request.phone, request.status) == (window.start, "+359888123777", "CLAIMED")
    wrong = press(client, "move", request.pk, phone="12")
    assert "This is not a phone number" in wrong.text
    assert "is not one of the available choices" in press(client, "move", request.pk, window="2020-01-01").text
    press(client, "release", request.pk)
    request.refresh_from_db()
    assert (request.status, request.next_attempt_at) == ("SCHEDULED", window.start)


def test_a_supervisor_hands_over_one_and_many(world: World) -> None:
    one, two, closed = callback(world), callback(world, 2), callback(world, 3)
    grace = member(world, "Callback agents", first_name="Grace")
    boss = client_of(member(world, "Callback supervisors"))
    assert f"{grace.display_name} has it now" in press(boss, "hand_over", one.pk, agent=str(grace.pk)).text
    assert "Select a valid choice" in press(boss, "hand_over", one.pk, agent=str(world.admin.pk)).text
    CallbackRequest.objects.filter(pk=closed.pk).update(status="WITHDRAWN", closed_at=NOW)
    keys = [str(row.pk) for row in (one, two, closed)]
    asked = {"action": "hand_over_selected", "_selected_action": keys}
    page = boss.post(page_of("callbackrequest_changelist"), asked)
    assert "requests:" in page.text
    assert str(two.reference) in page.text
    two.refresh_from_db()
    assert two.claimed_by is None
    done = boss.post(page_of("callbackrequest_changelist"), {**asked, "confirmed": "1", "agent": grace.pk}, follow=True)
    said = f"{one.reference}: closed, or theirs already; {closed.reference}: closed, or theirs already."
    assert f"1 changed. 2 not. {said}" in done.text
    two.refresh_from_db()
    assert two.claimed_by == grace
    missing = boss.post(page_of("callbackrequest_changelist"), {**asked, "confirmed": "1", "agent": ""})
    assert "This field is required." in missing.text


def test_many_are_closed_and_erased(world: World) -> None:
    one, two = callback(world), callback(world, 2)
    boss, grace = client_of(member(world, "Callback supervisors")), client_of(member(world, "Callback agents"))
    press(grace, "claim", two.pk)
    for action, extra, said in (
        ("erase_selected", {}, "0 changed. 2 not."),
        (
            "close_selected",
            {"disposition": "OTHER", "tell": "no"},
            f"1 changed. 1 not. {two.reference}: already closed, or an agent is calling.",
        ),
        ("erase_selected", {}, f"1 changed. 1 not. {two.reference}: still open, or erased already."),
    ):
        typed = {"action": action, "_selected_action": [one.pk, two.pk], "confirmed": "1", **extra}
        assert said in boss.post(page_of("callbackrequest_changelist"), typed, follow=True).text
    one.refresh_from_db()
    assert (one.status, one.phone, one.log.count()) == ("DONE", "", 0)


def test_canceled_is_no_choice_on_any_form(world: World) -> None:
    request, boss = callback(world), client_of(member(world, "Callback supervisors"))
    press(boss, "claim", request.pk)
    case = boss.get(page_of("callbackrequest_change", request.pk)).text
    asked = {"action": "close_selected", "_selected_action": [request.pk]}
    bulk = boss.post(page_of("callbackrequest_changelist"), asked).text
    for page in (case, bulk):
        assert 'value="CUSTOMER_KEEPS"' in page
        assert "CANCELED_BY_AGENT" not in page
    for name, typed in (("close", {}), ("close_without_call", {"tell": "yes"})):
        page = press(boss, name, request.pk, disposition="CANCELED_BY_AGENT", **typed)
        assert "is not one of the available choices" in page.text
    request.refresh_from_db()
    assert request.status == "CLAIMED"


def test_closing_without_a_call_asks_whether_the_customer_is_told(world: World) -> None:
    one, two, three = callback(world), callback(world, 2), callback(world, 3)
    boss, grace = client_of(member(world, "Callback supervisors")), client_of(member(world, "Callback agents"))
    # Agents close what they hold, supervisors what nobody else holds.
    assert "Claim it first" in press(grace, "close_without_call", one.pk, disposition="OTHER", tell="no").text
    press(grace, "claim", one.pk)
    assert "This field is required" in press(grace, "close_without_call", one.pk, disposition="OTHER").text
    assert "The request is closed" in press(grace, "close_without_call", one.pk, disposition="OTHER", tell="no").text
    assert "The request is closed" in press(boss, "close_without_call", two.pk, disposition="OTHER", tell="yes").text
    asked = {"action": "close_selected", "_selected_action": [three.pk], "confirmed": "1", "disposition": "OTHER"}
    assert "This field is required" in boss.post(page_of("callbackrequest_changelist"), asked).text
    boss.post(page_of("callbackrequest_changelist"), {**asked, "tell": "no"})
    told = Task.objects.filter(kind="mail.callback", payload__occasion="CLOSED")
    assert [task.payload["callback"] for task in told] == [two.pk]
    assert not Task.objects.filter(kind="mail.callback", payload__occasion="DONE").exists()
    for row in (one, two, three):
        row.refresh_from_db()
        assert (row.status, row.close_reason, row.log.count()) == ("DONE", "OTHER", 0)


def test_a_request_that_is_over_is_taken_up_again(world: World) -> None:
    request, client = callback(world), client_of(member(world, "Callback agents"))
    assert "Take it up again" not in client.get(page_of("callbackrequest_change", request.pk)).text
    press(client, "claim", request.pk)
    press(client, "close", request.pk, disposition="CUSTOMER_KEEPS")
    assert "Take it up again" in client.get(page_of("callbackrequest_change", request.pk)).text
    assert "This field is required" in press(client, "reopen", request.pk, reason="").text
    page = press(client, "reopen", request.pk, reason="closed the wrong one")
    assert "It is open again" in page.text
    request.refresh_from_db()
    assert (request.status, request.credit_from) == ("NEW", NOW)
    history = client.get(page_of("callbackrequest_history", request.pk)).text
    assert "reopened it: closed the wrong one" in history


def test_what_is_open_instead_is_one_press_away(world: World) -> None:
    request, client = callback(world), client_of(member(world, "Callback agents"))
    press(client, "claim", request.pk)
    press(client, "close", request.pk, disposition="CUSTOMER_KEEPS")
    shown = seen(client, request)
    other = request_callback(
        caller=world.caller(), subscription_id=request.subscription_id,
        wish=Wish("0888 123 499", "Ада", "bg", "Europe/Sofia", None, ""), idempotency_key=None,
        source=CallbackSource.PORTAL, language="en", now=NOW,
    ).request  # fmt: skip
    link = f'href="{page_of("callbackrequest_change", other.pk)}"'
    page = client.get(page_of("callbackrequest_change", request.pk)).text
    assert "Take it up again" not in page
    assert link in page
    before = everything()
    refused = client.post(page_of("callbackrequest_reopen", request.pk), {"seen": shown, "reason": "x"})
    assert f"{other.reference} is open for this subscription already." in refused.text
    assert link in refused.text
    assert everything() == before


def test_a_do_not_call_is_lifted_by_supervisors_alone(world: World) -> None:
    request, grace = callback(world), client_of(member(world, "Callback agents"))
    boss = client_of(member(world, "Callback supervisors"))
    press(grace, "claim", request.pk)
    press(grace, "attempt", request.pk, outcome="ASKED_NOT_TO_CALL")
    assert "Take it up again" not in grace.get(page_of("callbackrequest_change", request.pk)).text
    before = everything()
    refused = grace.post(page_of("callbackrequest_reopen", request.pk), {"seen": seen(boss, request), "reason": "x"})
    assert refused.status_code == 403
    assert everything() == before
    assert "It is open again" in press(boss, "reopen", request.pk, reason="it was a wrong press").text
    assert not OptOut.objects.exists()


def test_a_number_that_was_erased_is_asked_for(world: World) -> None:
    request, boss = callback(world), client_of(member(world, "Callback supervisors"))
    press(boss, "close_without_call", request.pk, disposition="OTHER", tell="no")
    assert 'name="phone"' not in boss.get(page_of("callbackrequest_change", request.pk)).text
    press(boss, "erase", request.pk)
    for typed, said in (({}, "This field is required"), ({"phone": "12"}, "This is not a phone number")):
        assert said in press(boss, "reopen", request.pk, reason="they rang", **typed).text
    press(boss, "reopen", request.pk, reason="they rang", phone="0888 123 777", contact_name="Ада")
    request.refresh_from_db()
    assert (request.status, request.phone, request.contact_name) == ("NEW", "+359888123777", "Ада")


@pytest.mark.parametrize("name", ["close_without_call", "reopen"])
def test_closing_and_reopening_take_their_permission(world: World, name: str) -> None:
    request, looks = callback(world), world.person(None, is_staff=True)
    looks.user_permissions.set(Permission.objects.filter(codename="view_callbackrequest"))
    before = everything()
    assert client_of(looks).post(page_of(f"callbackrequest_{name}", request.pk), {"reason": "x"}).status_code == 403
    assert client_of(world.admin).post(page_of(f"callbackrequest_{name}", request.pk)).status_code == 302
    assert everything() == before


@pytest.mark.parametrize("action", ["hand_over_selected", "close_selected", "erase_selected"])
def test_bulk_actions_are_for_supervisors(world: World, action: str) -> None:
    request, agent = callback(world), client_of(member(world, "Callback agents"))
    listed = agent.get(page_of("callbackrequest_changelist")).text
    assert action not in listed
    before = everything()
    agent.post(
        page_of("callbackrequest_changelist"),
        {"action": action, "_selected_action": [request.pk], "confirmed": "1", "disposition": "OTHER"},
    )
    assert agent.post(page_of("callbackrequest_hand_over", request.pk), {"agent": 1}).status_code == 403
    assert agent.get(page_of("callbackrequest_reports")).status_code == 403
    assert everything() == before


def test_the_history_of_a_case_is_its_trail(world: World) -> None:
    request, client = callback(world), client_of(member(world, "Callback agents", first_name="Grace"))
    press(client, "claim", request.pk)
    press(client, "attempt", request.pk, outcome="VOICEMAIL", note="will call 0888 123 451 again")
    page = client.get(page_of("callbackrequest_history", request.pk))
    for said in ("asked for a call", "claimed it", "called: voicemail left", "Grace"):
        assert said in page.text
    assert "123 451" not in page.text


def guard(client: Client, address: str) -> dict[str, Any]:
    """What a page carries of what it showed."""
    return {name: client.get(address).context[name] for name in ("seen", "shown")}


def test_desk_settings_keep_who_changed_what_and_lose_nothing(world: World) -> None:
    first, second = (client_of(member(world, "Callback supervisors", first_name=name)) for name in ("Ana", "Boris"))
    address = page_of("callbackdesk_change", 1)
    form = {
        **guard(second, address), "time_zone": "Europe/Sofia", "opens_at": "09:00", "closes_at": "18:00", "country": "BG",
        "days_off": "", "answer_within_hours": "4", "window_minutes": "120", "window_capacity": "4", "regions": "[]",
        "keep_contact_days": "30",
    }  # fmt: skip
    for bad, said in (
        ({"days_off": "31.12.2026"}, "One date a line"),
        ({"country": "XX"}, "A country code"),
        ({"window_minutes": "5"}, "greater than or equal to 15"),
        ({"time_zone": "Sofia"}, "is not an IANA time zone"),
        ({"opens_at": "19:00"}, "desk_opens_before_it_closes"),
    ):
        assert said in first.post(address, {**form, **bad}).text
    first.post(address, {**form, "days_off": "2026-12-31", "window_minutes": "60"})
    assert "minutes in a window: 120 → 60" in first.get(page_of("callbackdesk_history", 1)).text.lower()
    assert len({w.start for w in open_windows(SOFIA, NOW, 1)}) == 5
    page = second.post(address, {**form, "keep_contact_days": "10"})
    assert page.status_code == 409
    assert "120 → 60" in page.text
    assert CallbackDesk.objects.get().keep_contact_days == 30
    second.post(address, {**form, **guard(second, address), "keep_contact_days": "10"})
    assert CallbackDesk.objects.get().keep_contact_days == 10


def test_how_many_are_due_is_asked_again_and_again(world: World) -> None:
    client = client_of(member(world, "Callback agents"))
    for _ in range(2):
        callback(world)
    assert client.get(page_of("callbackrequest_due")).json() == {"count": 2, "text": "2 calls are due"}
    press(client, "next")
    assert client.get(page_of("callbackrequest_due")).json() == {"count": 1, "text": "1 call is due"}
    assert "1 call is due" in client.get(page_of("callbackrequest_changelist")).text
    assert client_of(world.admin).get(page_of("callbackrequest_due")).status_code == 302


def test_the_page_speaks_the_desks_time_and_the_language_one_chose(world: World) -> None:
    callback(world)
    user = member(world, "Callback agents")
    client = client_of(user)
    page = client.get(page_of("callbackrequest_changelist"))
    # Due at 16:00 in Sofia, 14:00 UTC.
    assert re.findall(r"field-due_at[^>]*>([^<]*)<", page.text) == ["25 November 2026, 16:00"]
    assert "Times are those of Europe/Sofia" in page.text
    back = client.post(reverse("language"), {"language": "bg", "next": page_of("callbackrequest_changelist")})
    assert back.url == page_of("callbackrequest_changelist")
    assert "Поеми следващата" in client.get(back.url).text
    user.refresh_from_db()
    assert user.language == "bg"
    assert client.post(reverse("language"), {"language": "bg", "next": "https://evil.example/"}).url == "/"
    assert client.get(reverse("language")).status_code == 405


def test_the_reports_count_what_happened(world: World) -> None:
    agent = member(world, "Callback agents")
    answered, waiting, gone = callback(world), callback(world, 2), callback(world, 3)
    with time_machine.travel(NOW + timedelta(minutes=90), tick=False):
        grace = client_of(agent)
        press(grace, "claim", answered.pk)
        press(grace, "close", answered.pk, disposition="CUSTOMER_KEEPS")
    for span in (timedelta(hours=20), timedelta(hours=23), timedelta(hours=30)):
        with time_machine.travel(NOW + span, tick=False):
            grace = client_of(agent)
            press(grace, "claim", waiting.pk)
            press(grace, "attempt", waiting.pk, outcome="NO_ANSWER")
    withdraw_callback(caller=world.caller(), callback_id=gone.pk, language="en", now=NOW)
    supervisor = member(world, "Callback supervisors")
    with time_machine.travel(NOW + timedelta(hours=47), tick=False):
        boss = client_of(supervisor)
        page = boss.get(page_of("callbackrequest_reports"), {"days": "7"}).text
        csv = boss.get(page_of("callbackrequest_reports"), {"days": "7", "format": "csv"})
        nothing = boss.get(page_of("callbackrequest_reports"), {"days": "1"}).text
    lines = dict(row.rsplit(",", 1) for row in csv.content.decode("utf-8-sig").splitlines()[1:])
    assert lines == {
        **lines,
        "Time to the first call,median": "1.5",
        "Time to the first call,nine of ten": "20.0",
        'Time to the first call,"median, office"': "1.5",
        "Called as promised,in time": "33.3",
        "Reached,call 1": "50.0",
        "Reached,call 2": "0.0",
        "Not waited for,withdrawn": "33.3",
        "Not waited for,solved online": "0.0",
        "Unreachable,unreachable": "33.3",
        "When they ask,12:00": "3",
        "Open by age,up to 2 days": "1",
        "Open by language,Български": "1",
    }
    assert "1 h 30 min" in page
    assert "50.0% (1 of 2)" in page
    assert "0 requests came in." in nothing


def test_a_cell_is_never_a_formula() -> None:
    cells = ["=1+1", "+359", -5, "@x", None, "\n=1", " \t@x", "＝1", "a\r\nb", "\0=1"]
    answer = csv_response("x.csv", ("a",), [[cell] for cell in cells])
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines == ["a", "'=1+1", "'+359", "-5", "'@x", '""', "'=1", "'@x", "'＝1", "a b", "'=1"]


@pytest.mark.parametrize("name", ["callbackdesk", "callbackrequest"])
def test_an_address_of_nothing_is_no_error_of_ours(world: World, name: str) -> None:
    client = client_of(member(world, "Callback supervisors"))
    for address in (f"/admin/desk/{name}/x/change/", f"/admin/desk/{name}/999/change/"):
        assert client.get(address).status_code == 302


def test_no_search_finds_everybody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("desk.admin.queue._MAX_TENANTS", 0)
    request, client = callback(world), client_of(member(world, "Callback agents"))
    assert request.reference in client.get(page_of("callbackrequest_changelist")).text
    assert request.reference not in client.get(page_of("callbackrequest_changelist"), {"q": "contoso"}).text


def test_a_search_costs_the_same_for_2_and_6(world: World) -> None:
    client = client_of(member(world, "Callback agents"))
    counted = []
    for numbers in ((1, 2), (3, 4, 5, 6)):
        for number in numbers:
            callback(world, number)
        with CaptureQueriesContext(connection) as captured:
            page = client.get(page_of("callbackrequest_changelist"), {"q": world.tenant.name})
        assert page.text.count("field-due_at") == numbers[-1]
        counted.append(len(captured))
    assert counted[0] == counted[1]
