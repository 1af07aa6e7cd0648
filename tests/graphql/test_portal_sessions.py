"""A host vouches for one of its people: what they may, for how long, and whose name stands on what they do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import translation

from desk.models import CallbackRequest
from outbox.models import Task
from portal.accounts.personal import erase, export, find
from subscriptions.cancellations.receipt import make_receipt
from subscriptions.models import Cancellation, IdempotencyRecord
from subscriptions.selectors.cancellations import requested_by
from tenants.audit import actor_names
from tenants.callers import Role, Scope
from tenants.models import AuditEvent, PartnerToken, PortalSession, Tenant, User, VouchedPerson
from tenants.people import SYSTEM
from tenants.tokens import revoke_token, rotate_token
from tenants.vouching import origin_of
from tests.builders import NOW
from tests.graphql.documents import CANCEL, CREATE_SESSION, END_SESSIONS, LIST, ONE, OPTIONS, REQUEST, VIEWER
from tests.world import Api, World

pytestmark = pytest.mark.django_db
ORIGIN, ANA = "https://portal.example", "ana@host.example"
CHANGE_PASSWORD = """mutation($input: ChangePasswordInput!) { changePassword(input: $input) {
  __typename ... on Problem { code message path } } }"""


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOW, tick=False) as traveler:
        yield traveler


@pytest.fixture
def world(world: World) -> World:
    Tenant.objects.filter(pk=world.tenant.pk).update(external_id="acme")
    return world


@pytest.fixture
def host(world: World) -> Api:
    return Api(token=world.token(Scope.SESSIONS, max_role=Role.BILLING_ADMIN, return_origins=[ORIGIN]))


def wish(**given: Any) -> dict[str, Any]:
    person = {"externalId": "7", "email": ANA, "displayName": "Ana Petrova", **given.pop("person", {})}
    values = {"tenantExternalId": "acme", "person": person, "role": "BILLING_ADMIN", "idempotencyKey": "k"}
    return {name: value for name, value in {**values, **given}.items() if value is not ...}


def create(host: Api, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = host(CREATE_SESSION, input=wish(**given))["createPortalSession"]
    return found


def vouched(host: Api, **given: Any) -> Api:
    return Api(token=create(host, **given)["accessToken"])


def is_out(api: Api) -> bool:
    """Whether nobody is known by this token."""
    errors = api.raw(VIEWER).get("errors")
    return bool(errors) and errors[0]["extensions"]["code"] == "NOT_AUTHENTICATED"


def cancel(api: Api, subscription: Any) -> dict[str, Any]:
    options = api(OPTIONS, id=f"sub_{subscription.pk}")["cancellationOptions"]["options"]
    quote = next(quote for option in options for quote in option["quotes"] or ())
    given = {"subscriptionId": f"sub_{subscription.pk}", "quoteId": quote["id"], "idempotencyKey": f"{subscription.pk}"}
    found: dict[str, Any] = api(CANCEL, input=given)["cancelSubscription"]
    return found


def test_they_are_a_person_with_a_role_in_the_one_tenant(world: World, host: Api) -> None:
    made = create(host, expiresIn=60, person={"phone": "+359888123456"})
    assert made["expiresAt"] == (NOW + timedelta(seconds=60)).isoformat()
    assert made["url"].startswith("http://testserver/portal/enter/")
    viewer = Api(token=made["accessToken"])(VIEWER)["viewer"]
    person = VouchedPerson.objects.get()
    assert (viewer["id"], viewer["kind"], viewer["scopes"]) == (f"vou_{person.pk}", "PERSON", [])
    assert (viewer["displayName"], viewer["email"], viewer["phone"]) == ("Ana Petrova", ANA, "+359888123456")
    [edge] = viewer["tenants"]["edges"]
    assert (edge["node"]["role"], edge["node"]["tenant"]["id"]) == ("BILLING_ADMIN", f"ten_{world.tenant.pk}")


def test_they_see_no_other_tenant_and_no_account_with_their_address(world: World, host: Api) -> None:
    other = World.build()
    User.objects.filter(pk=other.admin.pk).update(email=ANA)
    ours, theirs = world.subscription(1), other.subscription(1)
    ana = vouched(host)
    assert [edge["node"]["id"] for edge in ana(LIST)["subscriptions"]["edges"]] == [f"sub_{ours.pk}"]
    assert ana(ONE, id=f"sub_{theirs.pk}")["subscription"] is None
    refused = ana(CHANGE_PASSWORD, input={"currentPassword": "x", "newPassword": "another fine horse"})
    assert refused["changePassword"]["code"] == "NOT_PERMITTED"


@pytest.mark.parametrize(
    ("role", "typename"), [("VIEWER", "InputProblem"), ("BILLING_ADMIN", "CancelSubscriptionSuccess")]
)
def test_they_act_by_their_role(world: World, host: Api, role: str, typename: str) -> None:
    subscription = world.subscription(1)
    found = cancel(vouched(host, role=role), subscription)
    assert found["__typename"] == typename
    assert Cancellation.objects.count() == (typename != "InputProblem")


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Ana Petrova, vouched for by Partner"), ("bg", "Ana Petrova, представено лице от Partner")],
)
def test_their_name_and_the_hosts_stand_on_what_they_do(world: World, host: Api, language: str, said: str) -> None:
    done = cancel(vouched(host), world.subscription(1))["cancellation"]
    made = Cancellation.objects.select_related("requested_by_vouched__token", "tenant").get()
    assert (made.requested_by_user, made.requested_by_token, made.by_staff) == (None, None, False)
    api = Api(world.admin, language=language)
    shown = api(ONE, id=f"sub_{made.subscription_id}")["subscription"]["cancellation"]
    assert (shown["id"], shown["requestedBy"]) == (done["id"], said)
    with translation.override(language):
        assert requested_by(made) == said
        assert said in make_receipt(made, [], NOW).text


CANCELED_BY = """query($id: ID!) { node(id: $id) { ... on Cancellation {
  requestedBy canceledBy { kind displayName vouchedBy } } } }"""


def test_who_canceled_is_told_apart_by_kind(world: World, host: Api, agent: User) -> None:
    partner = Api(token=world.token(Scope.CANCEL))
    by = {"VOUCHED_PERSON": vouched(host), "PERSON": Api(world.admin), "PARTNER": partner}
    names = {"VOUCHED_PERSON": "Ana Petrova", "PERSON": world.admin.display_name, "PARTNER": "Partner"}
    for kind, api in by.items():
        canceled = cancel(api, world.subscription(1))["cancellation"]
        vouching = "Partner" if kind == "VOUCHED_PERSON" else None
        told = {"kind": kind, "displayName": names[kind], "vouchedBy": vouching}
        assert Api(world.admin)(CANCELED_BY, id=canceled["id"])["node"]["canceledBy"] == told
        assert canceled["canceledBy"] == told
    Cancellation.objects.filter(requested_by_user=world.admin).update(by_staff=True, requested_by_user=agent)
    staff = Cancellation.objects.get(requested_by_user=agent)
    shown = Api(world.admin)(CANCELED_BY, id=f"can_{staff.pk}")["node"]["canceledBy"]
    assert (shown["kind"], shown["displayName"]) == ("STAFF", agent.display_name)


def test_the_trail_says_who_it_was_and_who_vouched(world: World, host: Api) -> None:
    cancel(vouched(host), world.subscription(1))
    events = list(AuditEvent.objects.filter(tenant=world.tenant).order_by("position"))
    person = VouchedPerson.objects.get()
    created, canceled = (
        next(e for e in events if e.action == a) for a in ("portal_session.created", "cancellation.requested")
    )
    assert (created.actor_kind, created.subject) == ("PARTNER", f"VouchedPerson:{person.pk}")
    assert (canceled.actor_kind, canceled.actor_id) == ("VOUCHED", person.pk)
    personal = canceled.personal.data
    assert (personal["name"], personal["email"], personal["vouched_by"]) == ("Ana Petrova", ANA, "Partner")
    assert "Ana" not in str([event.data for event in events])
    assert actor_names([canceled])["VOUCHED", person.pk] == "Ana Petrova, vouched for by Partner"


def test_their_mail_goes_to_the_address_that_the_host_gave(world: World, host: Api) -> None:
    ana = vouched(host, locale="bg-BG")
    cancel(ana, world.subscription(1))
    asked = {"subscriptionId": f"sub_{world.subscription(26).pk}", "phone": "0888123456", "contactName": "Ana"}
    assert ana(REQUEST, input=asked)["requestCallback"]["callbackRequest"]
    assert CallbackRequest.objects.get().requested_by_vouched == VouchedPerson.objects.get()
    mail = Task.objects.filter(kind__in=["mail.cancellation", "mail.callback"]).order_by("pk")
    assert [(task.payload["to"], task.payload["language"]) for task in mail] == [(ANA, "bg"), (ANA, "bg")]


def test_no_role_above_the_one_that_the_token_gives(host: Api) -> None:
    found = create(host, role="GLOBAL_ADMIN")
    assert (found["code"], found["path"]) == ("NOT_PERMITTED", ["input", "role"])
    assert "BILLING_ADMIN" in found["message"]
    assert not PortalSession.objects.exists()


@pytest.mark.parametrize(
    ("given", "code", "path"),
    [
        ({"tenantExternalId": ...}, "INPUT_INVALID", ["tenantExternalId"]),
        ({"tenantId": "ten_1"}, "INPUT_INVALID", ["tenantExternalId"]),
        ({"tenantExternalId": "nobody's"}, "NOT_FOUND", ["tenantExternalId"]),
        ({"tenantExternalId": "a\0b"}, "INPUT_INVALID", ["tenantExternalId"]),
        ({"tenantExternalId": ..., "tenantId": "ten_999999999"}, "NOT_FOUND", ["tenantId"]),
        ({"expiresIn": 59}, "INPUT_INVALID", ["expiresIn"]),
        ({"expiresIn": 3601}, "INPUT_INVALID", ["expiresIn"]),
        ({"person": {"externalId": " "}}, "INPUT_INVALID", ["person", "externalId"]),
        ({"person": {"externalId": "x" * 256}}, "INPUT_INVALID", ["person", "externalId"]),
        ({"person": {"displayName": ""}}, "INPUT_INVALID", ["person", "displayName"]),
        ({"person": {"email": "ana"}}, "INPUT_INVALID", ["person", "email"]),
        ({"person": {"email": ""}}, "INPUT_INVALID", ["person", "email"]),
        ({"person": {"phone": "1" * 21}}, "INPUT_INVALID", ["person", "phone"]),
        ({"idempotencyKey": ""}, "INPUT_INVALID", ["idempotencyKey"]),
        ({"returnUrl": "https://evil.example/"}, "INPUT_INVALID", ["returnUrl"]),
        ({"subscriptionExternalId": "x" * 101}, "INPUT_INVALID", ["subscriptionExternalId"]),
    ],
)
def test_what_is_refused_makes_nothing(host: Api, given: dict[str, Any], code: str, path: list[str]) -> None:
    found = create(host, **given)
    assert (found["code"], found["path"]) == (code, ["input", *path])
    assert not PortalSession.objects.exists()
    assert not VouchedPerson.objects.exists()
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://portal.example", ORIGIN),
        ("https://portal.example/back?x=1#y", ORIGIN),
        ("https://PORTAL.example:443/", ORIGIN),
        ("https://portal.example:8443/", "https://portal.example:8443"),
        ("http://portal.example/", "http://portal.example"),
        ("https://[::1]:1/", "https://[::1]:1"),
        *((text, "") for text in (
            "", "portal.example", "//portal.example", "javascript:alert(1)", "https://", "https:///x",
            "https://me@portal.example/", "https://portal.example@evil.example/", "https://portal.example\\@evil.example",
            "https://portal.example /", "https://portal.example\n", "https://portal.example:x/", "ftp://portal.example/",
            "https://portal.example:99999/", "https://portal.example/" + "x" * 2000, "https://[::1/",
        )),
    ],
)  # fmt: skip
def test_an_origin_is_read_as_a_browser_reads_it_or_not_at_all(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_a_call_that_is_repeated_is_answered_with_the_same_session(host: Api) -> None:
    made = create(host)
    assert create(host) == made
    assert PortalSession.objects.count() == VouchedPerson.objects.count() == 1
    assert create(host, role="VIEWER")["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert create(host, idempotencyKey="other")["accessToken"] != made["accessToken"]


def test_another_partner_with_the_key_gets_no_session_of_others(world: World, host: Api) -> None:
    create(host)
    other = Api(token=world.token(Scope.SESSIONS, max_role=Role.BILLING_ADMIN))
    assert create(other)["code"] == "IDEMPOTENCY_KEY_REUSED"
    assert create(other, idempotencyKey="own")["accessToken"]
    assert VouchedPerson.objects.count() == 2


def test_nothing_that_opens_anything_is_in_the_database(host: Api) -> None:
    made = create(host)
    code = made["url"].rstrip("/").rpartition("/")[2]
    rows = str([list(model.objects.values()) for model in (PortalSession, VouchedPerson, IdempotencyRecord)])  # type: ignore[attr-defined]
    assert len(code) == 48
    assert made["accessToken"] not in rows
    assert made["accessToken"].removeprefix("wyp_") not in rows
    assert code not in rows


def test_the_code_of_the_address_is_no_token(host: Api) -> None:
    code = create(host)["url"].rstrip("/").rpartition("/")[2]
    assert is_out(Api(token=code))
    assert is_out(Api(token=f"wyp_{code}"))


def token() -> PartnerToken:
    return PartnerToken.objects.latest("pk")


def _rotated() -> None:
    rotate_token(token=token(), overlap=timedelta(days=7), caller=SYSTEM, now=NOW)


ENDS: dict[str, Callable[[World, Any], Any]] = {
    "its time": lambda _world, clock: clock.shift(901),
    "the token is revoked": lambda _world, _clock: revoke_token(token=token(), caller=SYSTEM, now=NOW),
    "the token is rotated": lambda _world, _clock: _rotated(),
    "the token expires": lambda _world, _clock: PartnerToken.objects.update(expires_at=NOW),
    "the token vouches no more": lambda _world, _clock: PartnerToken.objects.update(scopes=["READ"]),
    "the token loses the tenant": lambda _world, _clock: token().tenants.clear(),
}


@pytest.mark.parametrize("what", sorted(ENDS))
def test_a_session_ends_with(world: World, host: Api, clock: Any, what: str) -> None:
    ana = vouched(host)
    assert not is_out(ana)
    ENDS[what](world, clock)
    assert is_out(ana)


def test_it_lasts_until_its_instant(host: Api, clock: Any) -> None:
    ana = vouched(host)
    clock.shift(899)
    assert not is_out(ana)
    clock.shift(1)
    assert is_out(ana)


def test_a_role_that_the_token_gives_no_more_is_taken_at_once(host: Api) -> None:
    ana = vouched(host)
    PartnerToken.objects.update(max_role="VIEWER")
    assert ana(VIEWER)["viewer"]["tenants"]["edges"][0]["node"]["role"] == "VIEWER"


def test_the_host_ends_every_session_of_a_person(world: World, host: Api) -> None:
    other = World.build(external_id="other")
    token().tenants.add(other.tenant)
    stays = vouched(host, person={"externalId": "8"}, idempotencyKey="8")
    ana = [vouched(host, idempotencyKey=key) for key in "ab"]
    elsewhere = vouched(host, tenantExternalId="other")

    def end(**given: Any) -> int:
        found: int = host(END_SESSIONS, input={"personExternalId": "7", **given})["endPortalSessions"]["ended"]
        return found

    assert end(tenantExternalId="acme") == 2
    assert [is_out(api) for api in (*ana, elsewhere, stays)] == [True, True, False, False]
    assert (end(), end()) == (1, 0)
    assert is_out(elsewhere)
    assert not is_out(stays)
    unknown = host(END_SESSIONS, input={"personExternalId": "7", "tenantExternalId": "x"})["endPortalSessions"]
    assert unknown["code"] == "NOT_FOUND"


def test_another_partner_ends_nothing(world: World, host: Api) -> None:
    ana = vouched(host)
    other = Api(token=world.token(Scope.SESSIONS))
    assert other(END_SESSIONS, input={"personExternalId": "7"})["endPortalSessions"] == {
        "__typename": "EndPortalSessionsSuccess", "ended": 0,
    }  # fmt: skip
    assert not is_out(ana)


def test_whom_a_host_vouches_for_is_called_as_it_says_now(host: Api) -> None:
    create(host)
    create(host, person={"displayName": "Ana Ivanova", "email": "ivanova@host.example"}, idempotencyKey="2")
    person = VouchedPerson.objects.get()
    assert (person.name, person.email) == ("Ana Ivanova", "ivanova@host.example")


def test_people_vouch_for_nobody_nor_do_those_who_are_vouched_for(world: World, host: Api) -> None:
    ana = vouched(host)
    for api in (ana, Api(world.admin), Api(token=world.token(Scope.CANCEL))):
        assert create(api, idempotencyKey="x")["code"] == "NOT_PERMITTED"
    assert PortalSession.objects.count() == 1


def test_a_token_of_the_installation_vouches_in_every_tenant(world: World) -> None:
    host = Api(token=world.installation_token(Scope.SESSIONS, max_role=Role.GLOBAL_ADMIN))
    World.build(external_id="later")
    for tenant in ("acme", "later"):
        assert not is_out(vouched(host, tenantExternalId=tenant, role="GLOBAL_ADMIN"))


def test_who_is_erased_is_nobody_any_more(world: World, host: Api) -> None:
    ana = vouched(host)
    cancel(ana, world.subscription(1))
    whom = find(ANA)
    found = export(whom, NOW)
    assert [row["name"] for row in found["vouched_people"]] == ["Ana Petrova"]
    assert len(found["cancellations"]) == 1
    erase(whom, NOW, open_too=False)
    assert is_out(ana)
    assert requested_by(Cancellation.objects.get()) == "somebody, vouched for by Partner"
    rows = str([*VouchedPerson.objects.values(), *AuditEvent.objects.values("personal__data")])
    assert not any(text in rows for text in ("Ana", ANA))
