"""Staff in the admin: look, cancel for a tenant, publish policies, mint tokens, work the queue."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

import tenants.admin
from billing.models import Charge, Refund
from desk.models import CallbackRequest, CallbackSource
from desk.services.requests import Wish, request_callback
from subscriptions.models import Cancellation, CancellationPolicy, Plan
from tenants.callers import Role, Scope
from tenants.models import AuditEvent, PartnerToken, Tenant, User
from tenants.tokens import caller_of_token
from tests.builders import NOW
from tests.graphql.test_access import everything
from tests.world import World

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("frozen")]


@pytest.fixture
def frozen() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def staff(world: World) -> User:
    return world.person(None, is_staff=True, is_superuser=True, first_name="Stella")


def agent(world: World, *permissions: str) -> User:
    user = world.person(None, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def callback(world: World, number: int = 1) -> CallbackRequest:
    return request_callback(
        caller=world.caller(),
        subscription_id=world.subscription(25).pk,
        wish=Wish(f"0888 {123450 + number}", "Ада", "bg", "Europe/Sofia", None, "note"),
        idempotency_key=None,
        source=CallbackSource.GRAPHQL,
        language="en",
        now=NOW,
    ).request


LISTS = [
    "tenants_tenant", "tenants_user", "tenants_membership", "tenants_partnertoken", "tenants_auditevent",
    "billing_billingaccount", "billing_charge", "billing_refund", "outbox_task", "subscriptions_plan", "subscriptions_subscription",
    "subscriptions_license", "subscriptions_cancellationpolicy", "subscriptions_cancellation",
    "desk_callbackdesk", "desk_callbackrequest",
]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "bg"])
@pytest.mark.parametrize("name", LISTS)
def test_every_list_and_its_first_row_open(world: World, staff: User, name: str, language: str) -> None:
    world.token(Scope.READ)
    cancel(client_of(staff), world.subscription(3))
    callback(world)
    client = client_of(staff)
    headers = {"Wayout-Locale": language}
    page = client.get(reverse(f"admin:{name}_changelist"), {"q": "x"}, headers=headers)
    assert page.status_code == 200
    page = client.get(reverse(f"admin:{name}_changelist"), headers=headers)
    links = re.findall(rf'href="({reverse(f"admin:{name}_changelist")}\d+/change/[^"]*)"', page.text)
    assert links
    assert client.get(links[0], headers=headers).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "subscriptions_cancellation",
        "desk_callbackrequest",
        "subscriptions_subscription",
        "subscriptions_license",
        "billing_refund",
    ],
)
def test_lists_cost_the_same_for_2_and_10(world: World, staff: User, name: str) -> None:
    client = client_of(staff)
    counted = []
    for more in (2, 8):
        for number in range(more):
            cancel(client, world.subscription(1))
            callback(world, 20 * more + number)
        client.get(reverse(f"admin:{name}_changelist"))
        with CaptureQueriesContext(connection) as captured:
            client.get(reverse(f"admin:{name}_changelist"))
        counted.append(len(captured))
    assert counted[0] == counted[1]


def cancel(client: Client, subscription: Any, mode: int = 0, **given: str) -> Any:
    address = reverse("admin:subscriptions_subscription_cancel", args=[subscription.pk])
    page = client.get(address)
    quotes = re.findall(r'name="quote" value="([^"]+)"', page.text)
    keys = re.findall(r'name="key" value="([^"]+)"', page.text)
    modes = re.findall(r'name="mode" value="([^"]+)"', page.text)
    form = {"quote": quotes[mode], "key": keys[mode], "mode": modes[mode], "reason": "asked on the phone", **given}
    return client.post(address, form, follow=True)


def test_staff_cancel_for_a_tenant_through_the_same_service(world: World, staff: User) -> None:
    subscription = world.subscription(40)
    page = client_of(staff).get(reverse("admin:subscriptions_subscription_cancel", args=[subscription.pk]))
    assert "€4.00" in page.text
    done = cancel(client_of(staff), subscription)
    cancellation = Cancellation.objects.get()
    assert cancellation.reference in done.text
    assert (cancellation.by_staff, cancellation.requested_by_user) == (True, staff)
    assert cancellation.refunds.get().amount == 400
    [event] = AuditEvent.objects.all()
    assert (event.actor_kind, event.actor_id, event.data["by_staff"]) == ("STAFF", staff.pk, True)


@pytest.mark.parametrize(
    ("assigned", "said"), [(3, "You can cancel online: 3"), (32, "You can cancel for the customer: 32")]
)
def test_the_page_does_not_promise_the_customer_what_only_staff_may(
    world: World, staff: User, assigned: int, said: str
) -> None:
    address = reverse("admin:subscriptions_subscription_cancel", args=[world.subscription(assigned).pk])
    assert said in client_of(staff).get(address).text


@pytest.mark.parametrize("name", ["refund", "charge"])
def test_what_a_page_about_money_belongs_to_is_named_in_bulgarian(world: World, staff: User, name: str) -> None:
    cancel(client_of(staff), world.subscription(3))
    staff.language = "bg"
    staff.save()
    one = (Refund if name == "refund" else Charge).objects.get()
    page = client_of(staff).get(reverse(f"admin:billing_{name}_change", args=[one.pk])).text
    assert not re.search(r"<(label|th)\b[^>]*>\s*(Agreement|Charge|Refund)\b", page)


def test_a_filter_by_staff_can_be_read(world: World, staff: User) -> None:
    page = client_of(staff).get(reverse("admin:subscriptions_cancellation_changelist")).text
    assert "By staff" in page
    assert "By by" not in page


@pytest.mark.parametrize(
    ("asked", "shown"),
    [("ACTIVE", {"Runs"}), ("EXPIRED", {"Ended"}), ("CANCELING", {"Ends"}), ("in_service", {"Runs", "Ends"}),
     ("", {"Runs", "Ends", "Ended"}), ("no such", {"Runs", "Ends", "Ended"})],
)  # fmt: skip
def test_subscriptions_are_filtered_by_their_status_of_now(
    world: World, staff: User, asked: str, shown: set[str]
) -> None:
    later = NOW + timedelta(days=1)
    for name, given in (
        ("Runs", {}),
        ("Ends", {"canceled_mode": "AT_PERIOD_END", "ends_at": later}),
        ("Ended", {"renews": False, "period_end": NOW}),
    ):
        Plan.objects.filter(pk=world.subscription(0, **given).plan_id).update(name=name)
    page = client_of(staff).get(reverse("admin:subscriptions_subscription_changelist"), {"status": asked})
    assert {row.plan.name for row in page.context["cl"].result_list} == shown


def test_staff_cancel_closes_the_callback_as_done(world: World, staff: User) -> None:
    request = callback(world)
    cancel(client_of(staff), request.subscription)
    request.refresh_from_db()
    assert (request.status, request.close_reason) == ("DONE", "CANCELED_BY_AGENT")


def test_a_refused_cancel_says_why_and_changes_nothing(world: World, staff: User) -> None:
    subscription = world.subscription(3)
    page = cancel(client_of(staff), subscription, quote="nonsense")
    assert "This is not a quote for this subscription" in page.text
    assert not Cancellation.objects.exists()


def test_canceling_takes_its_permission(world: World) -> None:
    subscription = world.subscription(3)
    address = reverse("admin:subscriptions_subscription_cancel", args=[subscription.pk])
    looks = client_of(agent(world, "view_subscription"))
    may = client_of(agent(world, "view_subscription", "cancel_for_customer"))
    assert looks.get(address).status_code == 403
    assert looks.post(address, {"quote": "x", "key": "k"}).status_code == 403
    assert may.get(address).status_code == 200
    assert client_of(world.admin).get(address).status_code == 302


def test_staff_undo_as_the_api_does(world: World, staff: User) -> None:
    subscription = world.subscription(3)
    client = client_of(staff)
    cancel(client, subscription)
    cancellation = Cancellation.objects.get()
    address = reverse("admin:subscriptions_cancellation_undo", args=[cancellation.pk])
    page = client.get(reverse("admin:subscriptions_cancellation_change", args=[cancellation.pk]))
    assert address in page.text
    assert client.get(address).status_code == 405
    assert "was undone" in client.post(address, follow=True).text
    cancellation.refresh_from_db()
    assert cancellation.undone_at == NOW


def test_evidence_is_shown_and_nothing_can_be_edited(world: World, staff: User) -> None:
    cancel(client_of(staff), world.subscription(3))
    cancellation = Cancellation.objects.get()
    client = client_of(staff)
    address = reverse("admin:subscriptions_cancellation_change", args=[cancellation.pk])
    page = client.get(address)
    for shown in ("minor_units", "assigned_licenses", "€4.00", cancellation.reference):
        assert shown in page.text
    before = everything()
    assert client.post(address, {"reference": "C-0000-0000"}).status_code == 403
    assert client.post(reverse("admin:subscriptions_cancellation_delete", args=[cancellation.pk])).status_code == 403
    assert everything() == before


def test_a_policy_is_published_as_a_new_version(world: World, staff: User) -> None:
    client = client_of(staff)
    default = CancellationPolicy.objects.get()
    address = reverse("admin:subscriptions_cancellationpolicy_add")
    page = client.get(address, {"from": default.pk})
    assert 'value="25"' in page.text
    terms = {"name": "Generous", "online_license_limit": "50", "proration_convention": "SECOND", "tenant": ""}
    terms["seen"] = page.context["seen"]
    client.post(address, terms)
    old, new = CancellationPolicy.objects.order_by("version")
    assert (old.in_force, old.online_license_limit) == (False, 25)
    assert (new.in_force, new.version, new.online_license_limit, new.created_by) == (True, 2, 50, staff)
    client.post(address, {**terms, "tenant": world.tenant.pk, "online_license_limit": "10"})
    own = CancellationPolicy.objects.get(tenant=world.tenant)
    assert (own.version, own.in_force) == (1, True)
    assert AuditEvent.objects.filter(action="policy.published", tenant=world.tenant).count() == 1
    changelist = reverse("admin:subscriptions_cancellationpolicy_changelist")
    done = client.post(changelist, {"action": "withdraw", "_selected_action": [own.pk, new.pk]}, follow=True)
    assert f"1 changed. 1 not. {new}: it is the default, or not in force." in unescape(done.text)
    own.refresh_from_db()
    assert own.in_force is False
    assert CancellationPolicy.objects.get(tenant=None, in_force=True) == new


def test_a_policy_replaces_only_what_its_page_has_shown(world: World, staff: User) -> None:
    client, other = client_of(staff), client_of(world.person(None, is_staff=True, is_superuser=True))
    address = reverse("admin:subscriptions_cancellationpolicy_add")
    terms = {"name": "P", "online_license_limit": "50", "proration_convention": "SECOND"}

    def shown() -> str:
        seen: str = client.get(address, {"from": CancellationPolicy.objects.earliest("pk").pk}).context["seen"]
        return seen

    for tenant in ("", world.tenant.pk):
        first, wish = shown(), {**terms, "tenant": tenant}
        assert other.post(address, {**wish, "seen": first}).status_code == 302
        count = CancellationPolicy.objects.count()
        for seen in (first, "", "[1]", '{"x"'):
            late = client.post(address, {**wish, "name": "Late", "seen": seen})
            assert late.status_code == 409
            assert "published" in late.text
            assert CancellationPolicy.objects.count() == count
        # A form that was not right keeps what it has shown.
        wrong = client.post(address, {**wish, "name": "", "seen": first})
        assert wrong.context["seen"] == first
        assert f'value="{escape(first)}"' in wrong.text
    # Withdrawn meanwhile is changed meanwhile, too; somebody else's terms are not.
    seen = shown()
    own = CancellationPolicy.objects.get(tenant=world.tenant)
    other.post(
        reverse("admin:subscriptions_cancellationpolicy_changelist"), {"action": "withdraw", "_selected_action": own.pk}
    )
    assert client.post(address, {**terms, "tenant": world.tenant.pk, "seen": seen}).status_code == 409
    assert client.post(address, {**terms, "tenant": "", "seen": seen}).status_code == 302


@pytest.mark.parametrize("bad", [{"online_license_limit": "0"}, {"online_license_limit": "x"}, {"name": ""}])
def test_a_policy_that_makes_no_sense_is_refused(world: World, staff: User, bad: dict[str, str]) -> None:
    terms = {"name": "P", "online_license_limit": "50", "proration_convention": "SECOND", "tenant": "", **bad}
    page = client_of(staff).post(reverse("admin:subscriptions_cancellationpolicy_add"), terms)
    assert page.status_code == 200
    assert "errorlist" in page.text
    assert CancellationPolicy.objects.count() == 1


def test_a_published_version_is_read_only(world: World, staff: User) -> None:
    default = CancellationPolicy.objects.get()
    address = reverse("admin:subscriptions_cancellationpolicy_change", args=[default.pk])
    assert client_of(staff).post(address, {"name": "x"}).status_code == 403


def test_what_ended_is_not_rotated(world: World, staff: User) -> None:
    for _ in range(3):
        world.token(Scope.READ)
    live, revoked, expired = PartnerToken.objects.order_by("pk")
    PartnerToken.objects.filter(pk=revoked.pk).update(revoked_at=NOW)
    PartnerToken.objects.filter(pk=expired.pk).update(expires_at=NOW)
    client = Client()
    client.force_login(staff)
    page = client.post(
        reverse("admin:tenants_partnertoken_changelist"),
        {"action": "rotate", "_selected_action": [live.pk, revoked.pk, expired.pk]},
        follow=True,
    )
    assert "1 changed. 2 not." in page.text
    for token in (revoked, expired):
        assert f"{token}: it was revoked, or has expired" in unescape(page.text)
    assert PartnerToken.objects.count() == 4
    expired.refresh_from_db()
    assert expired.expires_at == NOW


def test_a_token_is_shown_once(world: World, staff: User) -> None:
    client = client_of(staff)
    form = {
        "name": "Reseller", "scopes": ["READ", "CANCEL"], "tenants": [world.tenant.pk], "max_role": "BILLING_ADMIN",
        "return_origins": "https://portal.example https://portal.example:8443",
    }  # fmt: skip
    page = client.post(reverse("admin:tenants_partnertoken_add"), form, follow=True)
    [text] = re.findall(r"<code>(wyo_\w+)</code>", page.text)
    token = PartnerToken.objects.get()
    caller = caller_of_token(text, NOW)
    assert caller
    assert (caller.scopes, caller.tenant_ids) == ({Scope.READ, Scope.CANCEL}, {world.tenant.pk})
    assert (token.created_by, token.max_role) == (staff, "BILLING_ADMIN")
    assert token.return_origins == ["https://portal.example", "https://portal.example:8443"]
    secret = text.removeprefix(f"wyo_test_{token.key_id}")
    again = client.get(reverse("admin:tenants_partnertoken_change", args=[token.pk]))
    assert secret not in again.text
    done = client.post(
        reverse("admin:tenants_partnertoken_changelist"),
        {"action": "revoke", "_selected_action": [token.pk]},
        follow=True,
    )
    assert "1 changed." in done.text
    assert caller_of_token(text, NOW) is None


def test_the_queue_claims_shows_the_number_and_closes(world: World) -> None:
    request = callback(world)
    works = agent(world, "view_callbackrequest", "work_callbacks")
    client = client_of(works)
    listed = client.get(reverse("admin:desk_callbackrequest_changelist"))
    assert "+359 88 *** **51" in listed.text
    assert "812" not in listed.text
    address = reverse("admin:desk_callbackrequest_change", args=[request.pk])
    assert "+359 88 *** **51" in client.get(address).text
    act = {n: reverse(f"admin:desk_callbackrequest_{n}", args=[request.pk]) for n in ("claim", "release", "close")}
    assert client.get(act["claim"]).status_code == 405
    page = client.post(act["claim"], follow=True)
    assert "+359 88 812 3451" in page.text
    other = client_of(agent(world, "view_callbackrequest", "work_callbacks"))
    assert f"{works.display_name} has this request" in other.post(act["claim"], follow=True).text
    assert "+359 88 812 3451" not in other.get(address).text
    assert "Claim it first" in other.post(act["close"], {"disposition": "OTHER"}, follow=True).text
    assert "is not one of the available choices" in press(client, "close", request.pk, disposition="NOBODYS").text
    assert "closed" in press(client, "close", request.pk, disposition="CUSTOMER_KEEPS").text
    request.refresh_from_db()
    assert (request.status, request.close_reason, request.closed_at) == ("DONE", "CUSTOMER_KEEPS", NOW)
    assert [e.action for e in AuditEvent.objects.order_by("position")] == [
        "callback.requested",
        "callback.claimed",
        "callback.closed",
    ]
    assert request.reference not in client.get(reverse("admin:desk_callbackrequest_changelist")).text


def test_release_gives_it_back(world: World) -> None:
    request = callback(world)
    client = client_of(agent(world, "view_callbackrequest", "work_callbacks"))
    client.post(reverse("admin:desk_callbackrequest_claim", args=[request.pk]))
    client.post(reverse("admin:desk_callbackrequest_release", args=[request.pk]))
    request.refresh_from_db()
    assert (request.status, request.claimed_by) == ("NEW", None)


@pytest.mark.parametrize("act", ["claim", "release", "close"])
def test_working_the_queue_takes_its_permission(world: World, act: str) -> None:
    request = callback(world)
    address = reverse(f"admin:desk_callbackrequest_{act}", args=[request.pk])
    looks, customer = client_of(agent(world, "view_callbackrequest")), client_of(world.admin)
    before = everything()
    assert looks.post(address).status_code == 403
    assert customer.post(address).status_code == 302
    assert everything() == before


def test_admins_of_tenants_are_not_staff(world: World) -> None:
    assert client_of(world.person(Role.GLOBAL_ADMIN)).get(reverse("admin:index")).status_code == 302


@pytest.mark.parametrize(
    "name", ["tenants_tenant", "billing_billingaccount", "subscriptions_subscription", "subscriptions_cancellation",
             "desk_callbackrequest", "billing_refund"],
)  # fmt: skip
def test_every_list_that_knows_tenants_finds_them_in_either_alphabet(world: World, staff: User, name: str) -> None:
    world.tenant.name = "Рила Софтуер"
    world.tenant.save()
    cancel(client_of(staff), world.subscription(3))
    callback(world)
    address = reverse(f"admin:{name}_changelist")
    for query, found in (("SOFTUER", True), ("рила", True), ("nobody", False)):
        page = client_of(staff).get(address, {"q": query})
        assert bool(re.search(rf'href="{address}\d+/change/', page.text)) is found


def test_search_in_either_alphabet(world: World, staff: User) -> None:
    Tenant.objects.create(name="Рила Софтуер", domain="rila.example")
    page = client_of(staff).get(reverse("admin:tenants_tenant_changelist"), {"q": "SOFTUER"})
    assert "rila.example" in page.text
    assert world.tenant.domain not in page.text


def press(client: Client, name: str, *args: int, **given: str) -> Any:
    """Send a button's form as the page of the case shows it."""
    if args:
        shown = client.get(reverse("admin:desk_callbackrequest_change", args=args))
        if found := re.search(r'name="seen" value="(\d+)"', shown.text):
            given = {"seen": found[1], "other_language": "bg", **given}
    return client.post(reverse(f"admin:desk_callbackrequest_{name}", args=args), given, follow=True)


def test_an_agent_claims_the_next_and_logs_what_came_of_it(world: World) -> None:
    first, second = callback(world), callback(world, 2)
    working = client_of(agent(world, "work_callbacks", "view_callbackrequest", "view_callbackattempt"))
    assert "Claim next" in working.get(reverse("admin:desk_callbackrequest_changelist")).text
    page = press(working, "next")
    assert "You have it for 20 minutes." in page.text
    assert "+359 88 812 3451" in page.text
    assert "This field is required." in press(working, "attempt", first.pk, outcome="").text
    late = press(working, "attempt", first.pk, outcome="CALL_LATER", later="2020-01-01T10:00")
    assert "Later than now and within 30 days" in late.text
    long = press(working, "attempt", first.pk, outcome="BUSY", note="x" * 501)
    assert "at most 500 characters" in long.text
    assert "Noted: busy." in press(working, "attempt", first.pk, outcome="BUSY", note="will try").text
    first.refresh_from_db()
    assert (first.attempts, first.last_outcome, first.log.get().note) == (1, "BUSY", "will try")
    assert "Claim it first" in press(working, "attempt", first.pk, outcome="BUSY").text
    assert press(working, "next").redirect_chain[-1][0].endswith(f"/{second.pk}/change/")
    assert "Nobody is to be called right now." in press(working, "next").text


def test_erasing_takes_its_own_permission_and_a_closed_request(world: World, staff: User) -> None:
    row, looking = callback(world), client_of(agent(world, "view_callbackrequest"))
    before = everything()
    for name in ("next", "attempt", "erase"):
        args = () if name == "next" else (row.pk,)
        assert press(looking, name, *args, outcome="BUSY").status_code == 403
    assert everything() == before
    client = client_of(staff)
    assert "Only a closed request" in press(client, "erase", row.pk).text
    CallbackRequest.objects.update(status="WITHDRAWN", closed_at=NOW)
    opened = client.get(reverse("admin:desk_callbackrequest_change", args=[row.pk]))
    assert "Erase contact data" in opened.text
    assert "Name, number and notes are erased." in press(client, "erase", row.pk).text
    row.refresh_from_db()
    assert (row.phone, row.contact_name, row.note) == ("", "", "")


def test_the_groups_are_there_and_open_what_they_say(world: World) -> None:
    row = callback(world)
    member = {}
    for name in ("Callback agents", "Callback supervisors", "Billing viewers"):
        user = world.person(None, is_staff=True)
        user.groups.add(Group.objects.get(name=name))
        member[name] = client_of(user)
    queue, money = reverse("admin:desk_callbackrequest_changelist"), reverse("admin:billing_refund_changelist")
    opened = {name: (client.get(queue).status_code, client.get(money).status_code) for name, client in member.items()}
    assert opened == {"Callback agents": (200, 403), "Callback supervisors": (200, 403), "Billing viewers": (403, 200)}
    assert press(member["Billing viewers"], "claim", row.pk).status_code == 403
    assert "You have it" in press(member["Callback agents"], "next").text
    CallbackRequest.objects.update(status="WITHDRAWN", closed_at=NOW)
    assert press(member["Callback agents"], "erase", row.pk).status_code == 403
    assert "are erased" in press(member["Callback supervisors"], "erase", row.pk).text


def test_the_quick_filters_and_the_search(world: World) -> None:
    mine, late, rests = callback(world), callback(world, 2), callback(world, 3)
    stella = agent(world, "work_callbacks", "view_callbackrequest")
    client = client_of(stella)
    press(client, "claim", mine.pk)
    CallbackRequest.objects.filter(pk=late.pk).update(due_at=NOW - timedelta(days=1), status="UNREACHABLE")
    CallbackRequest.objects.filter(pk=rests.pk).update(next_attempt_at=None, due_at=NOW + timedelta(days=1))
    CallbackRequest.objects.filter(pk=mine.pk).update(due_at=NOW + timedelta(days=1))
    path = reverse("admin:desk_callbackrequest_changelist")

    def found(**query: str) -> set[int]:
        return {row.pk for row in client.get(path, query).context["cl"].result_list}

    assert found(queue="mine") == {mine.pk}
    assert found(queue="unclaimed") == {late.pk, rests.pk}
    assert found(queue="overdue") == found(queue="unreachable") == {late.pk}
    assert found(queue="waiting") == {rests.pk}
    assert found() == {mine.pk, late.pk}
    assert found(queue="open") == found(queue="all") == {mine.pk, late.pk, rests.pk}
    for typed in ("0888 123 452", "00359888123452", "+359 (0) 888 123 452"):
        assert found(q=typed) == {late.pk}
    assert found(q=rests.reference, queue="all") == {rests.pk}


def test_a_failure_in_the_middle_stops_no_other_and_is_said(
    world: World, staff: User, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world.token(Scope.READ), world.token(Scope.READ), world.token(Scope.READ)
    rows = list(PartnerToken.objects.order_by("-pk"))
    revoke = tenants.admin.revoke_token

    def breaks_at_the_second(*, token: PartnerToken, **given: Any) -> bool:
        if token == rows[1]:
            raise RuntimeError("the disk is full")
        return revoke(token=token, **given)

    monkeypatch.setattr(tenants.admin, "revoke_token", breaks_at_the_second)
    address = reverse("admin:tenants_partnertoken_changelist")
    # What is no number was chosen by nobody.
    chosen = {"action": "revoke", "_selected_action": ["x", *(row.pk for row in rows), "\u0661", "9" * 30]}
    done = client_of(staff).post(address, chosen, follow=True)
    assert f"2 changed. 1 not. {rows[1]}: something went wrong on our side" in unescape(done.text)
    assert "the disk is full" not in done.text
    assert "the disk is full" in caplog.text
    assert set(PartnerToken.objects.filter(revoked_at=None)) == {rows[1]}
