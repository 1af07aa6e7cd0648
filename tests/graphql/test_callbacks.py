"""Let us call you, over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from desk.models import CallbackDesk, CallbackRequest
from subscriptions.models import License, Subscription
from tenants.callers import Role, Scope
from tenants.models import AuditEvent
from tests.builders import NOW
from tests.graphql.documents import OPTIONS, REQUEST, RESCHEDULE, WINDOWS, WITHDRAW
from tests.world import Api, World, later

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


@pytest.fixture
def frozen() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def ask(api: Api, subscription: Subscription, **given: Any) -> dict[str, Any]:
    wish = {
        "subscriptionId": f"sub_{subscription.pk}",
        "phone": "0888 123 456",
        "contactName": "Ада Иванова",
        "timeZone": "Europe/Sofia",
        **given,
    }
    answer: dict[str, Any] = api(REQUEST, input=wish)["requestCallback"]
    return answer


def windows(api: Api, subscription: Subscription, zone: str = "Europe/Sofia", **given: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api(WINDOWS, id=f"sub_{subscription.pk}", zone=zone, **given)["callbackWindows"]
    return found


@pytest.mark.parametrize(
    ("language", "said"), [("en", "every user counts for each."), ("bg", "всеки се брои за всеки от тях.")]
)
def test_a_call_is_open_where_holders_are_shared(world: World, language: str, said: str) -> None:
    subscription, api = world.subscription(3), Api(world.admin, language=language)
    assert ask(api, subscription)["__typename"] == "NotAvailableProblem"
    Subscription.objects.update(shares_licenses=True)
    options = api(OPTIONS, id=f"sub_{subscription.pk}")["cancellationOptions"]
    first, second = options["options"][:2]
    assert [first["route"], second["route"]] == ["CANCEL_ONLINE", "REQUEST_CALLBACK"]
    assert said in second["message"]
    assert said not in options["headline"]
    assert ask(api, subscription)["__typename"] == "RequestCallbackSuccess"


def test_as_soon_as_possible(world: World) -> None:
    subscription = world.subscription(25)
    answer = ask(Api(world.admin), subscription, note="След обяд")
    assert (answer["__typename"], answer["existing"]) == ("RequestCallbackSuccess", False)
    request = answer["callbackRequest"]
    assert (request["status"], request["window"], request["phone"]) == ("NEW", None, "+359 88 812 3456")
    assert request["requestedAt"] == request["creditFrom"] == request["nextAttemptAt"] == NOW.isoformat()
    assert request["reference"].startswith("R-")
    assert request["language"] == "en"
    [row] = CallbackRequest.objects.all()
    assert (row.phone, row.phone_as_typed, row.note, row.source) == (
        "+359888123456",
        "0888 123 456",
        "След обяд",
        "graphql",
    )


def test_a_chosen_window_is_echoed_with_its_zone(world: World) -> None:
    subscription = world.subscription(25)
    api = Api(world.admin, language="bg")
    [window, *_] = windows(api, subscription)
    request = ask(api, subscription, windowId=window["id"])["callbackRequest"]
    assert request["status"] == "SCHEDULED"
    assert request["window"] == window
    assert "(София, UTC+02:00)" in request["window"]["label"]
    assert request["language"] == "bg"


def test_asking_again_updates_the_open_one_and_keeps_its_place(world: World) -> None:
    subscription = world.subscription(25)
    api = Api(world.admin)
    first = ask(api, subscription)["callbackRequest"]
    with time_machine.travel(later(hours=3), tick=False):
        [window, *_] = windows(api, subscription)
        again = ask(api, subscription, windowId=window["id"], contactName="Боян", phone="0888 999 999")
    assert again["existing"] is True
    request = again["callbackRequest"]
    assert (request["id"], request["reference"]) == (first["id"], first["reference"])
    assert request["requestedAt"] == request["creditFrom"] == NOW.isoformat()
    assert (request["contactName"], request["phone"]) == ("Боян", "+359 88 899 9999")
    assert [e.action for e in AuditEvent.objects.order_by("position")] == ["callback.requested", "callback.updated"]


def test_postponing_moves_the_credit(world: World) -> None:
    subscription = world.subscription(25)
    api = Api(world.admin)
    window = windows(api, subscription, days=20)[-1]
    request = ask(api, subscription, windowId=window["id"])["callbackRequest"]
    assert request["creditFrom"] > request["requestedAt"]


def test_an_open_request_can_still_be_updated_under_the_limit(world: World) -> None:
    subscription = world.subscription(25)
    api = Api(world.admin)
    ask(api, subscription)
    License.objects.filter(subscription=subscription).first().delete()  # type: ignore[union-attr]
    assert ask(api, subscription)["existing"] is True


@pytest.mark.parametrize("assigned", [0, 24])
def test_not_offered_under_the_limit(world: World, assigned: int) -> None:
    answer = ask(Api(world.admin), world.subscription(assigned))
    assert (answer["__typename"], answer["code"]) == ("NotAvailableProblem", "ROUTE_NOT_AVAILABLE")
    assert answer["cancellationOptions"]["route"] == "CANCEL_ONLINE"
    assert not CallbackRequest.objects.exists()


BAD = [
    ({"phone": "call me"}, "PHONE_INVALID", "phone"),
    ({"phone": ""}, "INPUT_INVALID", "phone"),
    ({"phone": "0" * 60}, "INPUT_INVALID", "phone"),
    ({"phone": "0888\x00123456"}, "INPUT_INVALID", "phone"),
    ({"phone": "+1 555 123"}, "PHONE_INVALID", "phone"),
    ({"phone": "+15551234567"}, "PHONE_REGION_UNSUPPORTED", "phone"),
    ({"phone": "+359 90 012345"}, "PHONE_KIND_UNSUPPORTED", "phone"),
    ({"contactName": ""}, "INPUT_INVALID", "contactName"),
    ({"contactName": "x" * 201}, "INPUT_INVALID", "contactName"),
    ({"note": "x" * 501}, "INPUT_INVALID", "note"),
    ({"language": "tlh"}, "INPUT_INVALID", "language"),
    ({"timeZone": "Mars/Olympus"}, "TIME_ZONE_INVALID", "timeZone"),
    ({"timeZone": "../../etc/passwd"}, "TIME_ZONE_INVALID", "timeZone"),
    ({"windowId": "nonsense"}, "WINDOW_NOT_AVAILABLE", "windowId"),
    ({"windowId": "win_9223372036854775807"}, "WINDOW_NOT_AVAILABLE", "windowId"),
    ({"windowId": f"win_{int(NOW.timestamp())}"}, "WINDOW_NOT_AVAILABLE", "windowId"),
    ({"windowId": "win_1764057600"}, "WINDOW_NOT_AVAILABLE", "windowId"),  # a year ago
    ({"idempotencyKey": "k" * 300}, "INPUT_INVALID", "idempotencyKey"),
]


@pytest.mark.parametrize(("given", "code", "field"), BAD)
@pytest.mark.parametrize("language", ["en", "bg"])
def test_bad_input_has_a_code_a_sentence_and_a_field(
    world: World, given: dict[str, Any], code: str, field: str, language: str
) -> None:
    CallbackDesk.objects.update(regions=["BG", "DE"])
    problem = ask(Api(world.admin, language=language), world.subscription(25), **given)
    assert (problem["code"], problem["path"]) == (code, ["input", field])
    assert problem["message"].isascii() is (language == "en")
    assert not CallbackRequest.objects.exists()
    assert not AuditEvent.objects.exists()


def test_the_zone_of_the_tenant_when_none_is_given(world: World) -> None:
    request = ask(Api(world.admin), world.subscription(25), timeZone=None)["callbackRequest"]
    assert request["timeZone"] == "Europe/Sofia"


def test_a_window_is_full_when_its_capacity_is_taken(world: World) -> None:
    CallbackDesk.objects.update(window_capacity=2)
    api = Api(world.admin)
    window = windows(api, world.subscription(25))[0]
    taken = [ask(api, world.subscription(25), windowId=window["id"], phone=f"0888 00 00 0{n}") for n in range(3)]
    assert [answer["__typename"] for answer in taken] == ["RequestCallbackSuccess"] * 2 + ["InputProblem"]
    assert taken[2]["code"] == "WINDOW_NOT_AVAILABLE"
    assert window not in windows(api, world.subscription(25))
    # The one who has a place keeps it when only the note changes.
    first = CallbackRequest.objects.order_by("pk").first()
    assert first
    again = ask(api, first.subscription, windowId=window["id"], note="new", phone="0888 00 00 00")
    assert again["existing"] is True


def test_three_requests_a_day_for_one_number(world: World) -> None:
    api = Api(world.admin)
    for _ in range(3):
        assert "callbackRequest" in ask(api, world.subscription(25))
    problem = ask(api, world.subscription(25), phone="+359 88 812 3456")
    assert (problem["code"], problem["path"]) == ("RATE_LIMITED", ["input", "phone"])
    open_one = CallbackRequest.objects.order_by("pk").first()
    assert open_one
    assert ask(api, open_one.subscription)["existing"] is True
    with time_machine.travel(later(hours=25), tick=False):
        assert "callbackRequest" in ask(Api(world.admin), world.subscription(25))


def test_another_tenant_neither_blocks_a_number_nor_learns_that_it_was_given(world: World) -> None:
    api, other = Api(world.admin), World.build()
    for _ in range(3):
        ask(Api(other.admin), other.subscription(25))
    for _ in range(3):
        assert "callbackRequest" in ask(api, world.subscription(25))
    elsewhere = [ask(Api(w.admin), w.subscription(25)).get("code") for w in (World.build(), other)]
    assert elsewhere == [None, "RATE_LIMITED"]


def test_reschedule_and_withdraw(world: World) -> None:
    subscription = world.subscription(25)
    api = Api(world.admin)
    request = ask(api, subscription)["callbackRequest"]
    [_, window, *_] = windows(api, subscription)
    moved = api(RESCHEDULE, input={"callbackId": request["id"], "windowId": window["id"]})["rescheduleCallback"]
    assert moved["callbackRequest"]["window"] == window
    assert moved["callbackRequest"]["phone"] == request["phone"]
    back = api(RESCHEDULE, input={"callbackId": request["id"], "phone": "0888 777 777"})["rescheduleCallback"]
    assert (back["callbackRequest"]["status"], back["callbackRequest"]["phone"]) == ("NEW", "+359 88 877 7777")
    gone = api(WITHDRAW, input={"callbackId": request["id"]})["withdrawCallback"]["callbackRequest"]
    assert (gone["status"], gone["closeReason"], gone["closedAt"]) == (
        "WITHDRAWN",
        "WITHDRAWN_BY_CUSTOMER",
        NOW.isoformat(),
    )
    assert gone["subscription"]["openCallback"] is None
    assert gone["subscription"]["latestCallback"]["id"] == request["id"]
    # Again: nothing new.
    assert api(WITHDRAW, input={"callbackId": request["id"]})["withdrawCallback"]["callbackRequest"] == gone
    late = api(RESCHEDULE, input={"callbackId": request["id"]})["rescheduleCallback"]
    assert (late["code"], late["path"]) == ("ROUTE_NOT_AVAILABLE", ["input", "callbackId"])
    # And it can be asked for anew.
    assert ask(api, subscription)["callbackRequest"]["reference"] != request["reference"]


def test_the_same_key_answers_the_same_request(world: World) -> None:
    subscription = world.subscription(25)
    api = Api(world.admin)
    first = ask(api, subscription, idempotencyKey="k")
    assert ask(api, subscription, idempotencyKey="k") == first
    reused = ask(api, subscription, idempotencyKey="k", note="other")
    assert reused["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert CallbackRequest.objects.get().note == ""


def test_the_number_is_masked_for_those_who_may_not_act(world: World) -> None:
    subscription = world.subscription(25)
    ask(Api(world.admin), subscription)
    for api, phone in (
        (Api(world.person(Role.BILLING_ADMIN)), "+359 88 812 3456"),
        (Api(world.person(Role.VIEWER)), "+359 88 *** **56"),
        (Api(token=world.token(Scope.READ, Scope.CALLBACK)), "+359 88 812 3456"),
        (Api(token=world.token(Scope.CANCEL)), "+359 88 *** **56"),
    ):
        shown = api("query($id: ID!) { subscription(id: $id) { openCallback { phone } } }", id=f"sub_{subscription.pk}")
        assert shown["subscription"]["openCallback"]["phone"] == phone


@pytest.mark.parametrize("days", [0, 31, -1])
def test_days_of_windows_are_bounded(world: World, days: int) -> None:
    body = Api(world.admin).raw(WINDOWS, id="sub_1", zone="Europe/Sofia", days=days)
    assert body["errors"][0]["extensions"]["code"] == "INPUT_INVALID"
    assert body["errors"][0]["extensions"]["path"] == ["days"]


def test_windows_in_a_zone_that_does_not_exist(world: World) -> None:
    body = Api(world.admin).raw(WINDOWS, id="sub_1", zone="Mars/Olympus")
    assert body["errors"][0]["extensions"] == {"code": "TIME_ZONE_INVALID", "path": ["timeZone"]}
    assert body["data"] == {"callbackWindows": None}


def test_windows_are_bounded_by_30_days(world: World) -> None:
    found = windows(Api(world.admin), world.subscription(25), days=30)
    assert len(found) <= 30 * 4
    assert found[-1]["start"] <= (NOW + timedelta(days=30)).isoformat()
