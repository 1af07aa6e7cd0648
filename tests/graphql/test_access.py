"""Who may do what: every caller against every field and mutation, and that a refusal changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.db.models import Model

from billing.models import Charge, Refund
from billing.refunds.requests import refund_by_hand
from portal.graphql import access
from portal.graphql.schema import schema
from subscriptions.directory.licenses import remove_users
from subscriptions.models import Cancellation, DirectoryUser, License, Subscription
from tenants.callers import Role, Scope
from tenants.models import Membership, PartnerToken, Removals, SignIn, Tenant, VouchedPerson
from tenants.people import SYSTEM
from tenants.tokens import caller_of_token, revoke_token
from tenants.vouching import new_session
from tests.builders import NOW
from tests.graphql.documents import (
    CANCEL,
    CREATE_SESSION,
    END_SESSIONS,
    EVENTS,
    FEEDBACK,
    FOLLOW,
    LICENSES,
    LIST,
    MARK_PAID,
    OPTIONS,
    REGISTER_WEBHOOK,
    REMOVE,
    REMOVE_WEBHOOK,
    REPLAY_WEBHOOK,
    REQUEST,
    RESCHEDULE,
    ROTATE_WEBHOOK,
    SETTLE,
    SUBSCRIPTION_BY_EXTERNAL_ID,
    TENANT_BY_EXTERNAL_ID,
    TEST_WEBHOOK,
    UNDO,
    USER_BY_EXTERNAL_ID,
    VIEWER,
    WEBHOOKS,
    WINDOWS,
    WITHDRAW,
)
from tests.world import ACTING_SCOPES, Api, World
from webhooks.feed import last_position
from webhooks.models import Endpoint

pytestmark = [pytest.mark.long, pytest.mark.django_db, pytest.mark.usefixtures("frozen", "nothing_is_sent")]
PARTNER = "thepartner"


@pytest.fixture
def nothing_is_sent(settings: Any) -> None:
    """An endpoint that is tested is one of a documentation network: it is refused before anything is asked."""
    settings.WAYOUT_WEBHOOK_PRIVATE = False


@pytest.fixture
def frozen() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@dataclass
class Scene:
    """A tenant with one of everything, to be called from inside and outside."""

    world: World
    online: str
    over: str
    canceled: str
    callback: str
    quote: str
    user: str
    webhook: str
    refund: str
    removal: str = "rem_999999999"
    settlement: dict[str, Any] = field(default_factory=dict)

    def named(self, what: str) -> str:
        """The host's id of the tenant, of ``online``, or of ``user``."""
        return f"{what}-{self.world.tenant.pk}"


@pytest.fixture
def scene(world: World) -> Scene:
    online, over = world.subscription(5), world.subscription(25)
    to_cancel, with_callback = world.subscription(1), world.subscription(26)
    api = Api(world.admin)

    def quote(pk: int) -> str:
        options = api(OPTIONS, id=f"sub_{pk}")["cancellationOptions"]["options"]
        found: str = options[0]["quotes"][0]["id"]
        return found

    canceled = api(
        CANCEL,
        input={"subscriptionId": f"sub_{to_cancel.pk}", "quoteId": quote(to_cancel.pk), "idempotencyKey": "scene"},
    )["cancelSubscription"]["cancellation"]["id"]
    wish = {"subscriptionId": f"sub_{with_callback.pk}", "phone": "0888123456", "contactName": "Ada"}
    callback = api(REQUEST, input=wish)["requestCallback"]["callbackRequest"]["id"]
    vouched_person(world)
    user = License.objects.filter(subscription=online).values_list("user", flat=True)[0]
    scene = Scene(
        world,
        f"sub_{online.pk}",
        f"sub_{over.pk}",
        canceled,
        callback,
        quote(online.pk),
        f"usr_{user}",
        webhook(world),
        owed(with_callback),
        *requested(world, over),
    )
    for name, row in (("tenant", world.tenant), ("subscription", online), ("user", DirectoryUser.objects.get(pk=user))):
        row.external_id = scene.named(name)
        row.save(update_fields=["external_id"])
    scene.settlement["tenantExternalId"] = scene.named("tenant")
    return scene


@pytest.fixture(params=["of tenants", "of the installation"])
def token(request: pytest.FixtureRequest, scene: Scene) -> Callable[..., str]:
    """Makes a token with these scopes that sees the scene; one of the installation does what its scopes say, no more."""

    def make(*scopes: Scope) -> str:
        if request.param == "of tenants":
            return scene.world.token(*scopes)
        if Scope.SCIM in scopes:
            pytest.skip("SCIM is of one tenant")
        return scene.world.installation_token(*scopes)

    return make


def requested(world: World, subscription: Subscription) -> tuple[str, dict[str, Any]]:
    """A removal that waits for the host, and what the host then says of it."""
    license = License.objects.filter(subscription=subscription).select_related("user")[0]
    Tenant.objects.filter(pk=world.tenant.pk).update(removals=Removals.HOST, external_id="c-1")
    Subscription.objects.filter(pk=subscription.pk).update(external_id="s-1")
    DirectoryUser.objects.filter(pk=license.user_id).update(external_id="u-1")
    removed = remove_users(
        caller=world.caller(), subscription_id=subscription.pk, users=[("", license.user_id)], dry_run=False,
        idempotency_key=None, language="en", now=NOW,
    )  # fmt: skip
    Tenant.objects.filter(pk=world.tenant.pk).update(removals=Removals.LOCAL)
    said = {"userExternalId": "u-1", "subscriptionExternalId": "s-1", "tenantExternalId": "c-1", "confirmed": True}
    return f"rem_{removed.request_id}", said


def vouched_person(world: World) -> None:
    """With a session; ``tokens_act_by_scope`` calls as the same partner."""
    Tenant.objects.filter(pk=world.tenant.pk).update(external_id="c-1")
    world.token(Scope.SESSIONS)
    token = PartnerToken.objects.latest("pk")
    person = VouchedPerson.objects.create(
        tenant=world.tenant, token=token, partner=PARTNER, external_id="7", seen_at=NOW
    )
    new_session(person=person, token=token, role=Role.VIEWER, lasts=timedelta(hours=1), now=NOW).save()


def owed(subscription: Subscription) -> str:
    """Goodwill that nobody has paid yet."""
    charge = Charge.objects.get(agreement=subscription.agreement)
    made = refund_by_hand(charge=charge, amount=100, reason="x", due_by=NOW.date(), caller=SYSTEM, now=NOW)
    Refund.objects.filter(pk=made.pk).update(provider="owed")
    return f"ref_{made.pk}"


def webhook(world: World) -> str:
    """One of a partner of the tenant; ``tokens_act_by_scope`` calls as the same partner."""
    endpoint = Endpoint.objects.create(partner=PARTNER, url="https://192.0.2.1/hook", salt="x", created_at=NOW)
    return f"whk_{endpoint.pk}"


def everything() -> dict[str, list[Any]]:
    """All rows of our apps, but for when a token was last used, and who is signed in where."""

    def rows(model: type[Model]) -> list[Any]:
        volatile = {"last_used_at", "last_login"}
        names = [f.attname for f in model._meta.concrete_fields if f.attname not in volatile]
        return list(model._default_manager.order_by("pk").values_list(*names))

    names = ("subscriptions", "billing", "webhooks", "tenants")
    models = [model for name in names for model in apps.get_app_config(name).get_models() if model is not SignIn]
    return {model._meta.label: rows(model) for model in models}


# What each entry point is asked; which scope opens it is in the table.
Variables = Callable[[Scene], dict[str, Any]]
MUTATIONS: dict[str, tuple[str, Variables]] = {
    "cancelSubscription": (
        CANCEL,
        lambda s: {"input": {"subscriptionId": s.online, "quoteId": s.quote, "idempotencyKey": "x"}},
    ),
    "undoCancellation": (UNDO, lambda s: {"input": {"cancellationId": s.canceled}}),
    "submitCancellationFeedback": (
        FEEDBACK,
        lambda s: {"input": {"cancellationId": s.canceled, "feedback": "OTHER"}},
    ),
    "removeUsers": (
        REMOVE,
        lambda s: {"input": {"subscriptionId": s.online, "userIds": [s.user]}},
    ),
    "settleRemovals": (SETTLE, lambda s: {"input": {"removals": [s.settlement]}}),
    "requestCallback": (
        REQUEST,
        lambda s: {"input": {"subscriptionId": s.over, "phone": "0888999999", "contactName": "Ada"}},
    ),
    "rescheduleCallback": (RESCHEDULE, lambda s: {"input": {"callbackId": s.callback}}),
    "withdrawCallback": (WITHDRAW, lambda s: {"input": {"callbackId": s.callback}}),
    "markRefundPaid": (
        MARK_PAID,
        lambda s: {
            "input": {"refundId": s.refund, "paidAt": NOW.isoformat(), "reference": "SEPA-1", "idempotencyKey": "x"}
        },
    ),
    "registerWebhook": (REGISTER_WEBHOOK, lambda s: {"input": {"url": "https://partner.example/hook"}}),
    "rotateWebhookSecret": (ROTATE_WEBHOOK, lambda s: {"input": {"webhookId": s.webhook}}),
    "replayWebhook": (REPLAY_WEBHOOK, lambda s: {"input": {"webhookId": s.webhook}}),
    "removeWebhook": (REMOVE_WEBHOOK, lambda s: {"input": {"webhookId": s.webhook}}),
    "testWebhook": (TEST_WEBHOOK, lambda s: {"input": {"webhookId": s.webhook}}),
    "createPortalSession": (
        CREATE_SESSION,
        lambda s: {
            "input": {
                "tenantId": f"ten_{s.world.tenant.pk}" if s.online != "sub_999999999" else "ten_999999999",
                "person": {"externalId": "7", "email": "ana@host.example", "displayName": "Ana"},
                "role": "VIEWER",
                "idempotencyKey": "x",
            }
        },
    ),
    "endPortalSessions": (
        END_SESSIONS,
        lambda s: {
            "input": {
                "personExternalId": "7",
                "tenantExternalId": s.named("tenant") if s.online != "sub_999999999" else "nobody's",
            }
        },
    ),
}
NAMES = sorted(MUTATIONS)
PARTNERS_ONLY = {n for n, entry in {**access.QUERIES, **access.MUTATIONS}.items() if entry.who is access.Who.PARTNER}
OF_PEOPLE = sorted(set(MUTATIONS) - PARTNERS_ONLY)
OF_WEBHOOKS = {name for name, entry in access.MUTATIONS.items() if entry.scopes == (Scope.WEBHOOKS,)}
# Of many things at once, it answers success with what is unknown.
OF_TENANTS = sorted(set(MUTATIONS) - OF_WEBHOOKS - {"settleRemovals"})


def answer(api: Api, name: str, scene: Scene) -> dict[str, Any]:
    document, variables = MUTATIONS[name]
    body = api.raw(document, **variables(scene))
    found: dict[str, Any] = body["data"][name]
    return found


@pytest.mark.parametrize("name", OF_PEOPLE)
@pytest.mark.parametrize("role", [Role.GLOBAL_ADMIN, Role.BILLING_ADMIN])
def test_admins_act(scene: Scene, name: str, role: Role) -> None:
    found = answer(Api(scene.world.person(role)), name, scene)
    assert found["__typename"].endswith("Success"), found


@pytest.mark.parametrize(
    ("name", "role"),
    [(name, Role.VIEWER) for name in NAMES]
    + [(name, Role.GLOBAL_ADMIN) for name in sorted(PARTNERS_ONLY & set(NAMES))],
)
def test_viewers_do_not_nor_people_what_is_partners(scene: Scene, name: str, role: Role) -> None:
    person = scene.world.person(role)
    before = everything()
    found = answer(Api(person), name, scene)
    assert (found["code"], found["__typename"]) == ("NOT_PERMITTED", "InputProblem")
    assert everything() == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scope", list(Scope))
def test_tokens_act_by_scope(scene: Scene, name: str, scope: Scope, token: Callable[..., str]) -> None:
    text = token(scope)
    PartnerToken.objects.update(partner=PARTNER)
    [needed] = access.MUTATIONS[name].scopes
    before = everything()
    found = answer(Api(token=text), name, scene)
    if access.MUTATIONS[name].opens_to_scopes(frozenset({scope})):
        assert found["__typename"].endswith("Success"), found
        assert everything() != before
    else:
        assert found["code"] == "NOT_PERMITTED"
        assert needed.value in found["message"]
        assert everything() == before


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("who", ["nobody", "wrong token", "expired token", "revoked token", "basic", "inactive person"])
def test_strangers_are_not_authenticated(scene: Scene, name: str, who: str) -> None:
    before = everything()
    api = stranger(scene.world, who)
    before = everything()
    found = answer(api, name, scene)
    assert found["code"] == "NOT_AUTHENTICATED"
    assert everything() == before


def stranger(world: World, who: str) -> Api:
    match who:
        case "nobody":
            return Api()
        case "wrong token":
            text = world.token(*ACTING_SCOPES)
            return Api(token=text[:-1] + ("a" if text[-1] != "a" else "b"))
        case "expired token":
            return Api(token=world.token(*ACTING_SCOPES, expires_at=NOW - timedelta(seconds=1)))
        case "revoked token":
            text = world.token(*ACTING_SCOPES)
            assert revoke_token(token=PartnerToken.objects.latest("pk"), caller=SYSTEM, now=NOW)
            return Api(token=text)
        case "basic":
            api = Api(world.admin)
            api.headers["Authorization"] = "Basic YTpi"
            return api
        case _:
            user = world.person(Role.GLOBAL_ADMIN)
            api = Api(user)
            user.is_active = False
            user.save()
            return api


@pytest.mark.parametrize(
    ("name", "who"),
    [
        (name, who)
        for name in OF_PEOPLE
        for who in ("admin of another tenant", "person without a tenant", "ended membership")
    ]
    + [(name, "token of another tenant") for name in OF_TENANTS],
)
def test_case_68_another_tenant_looks_unknown(scene: Scene, name: str, who: str) -> None:
    other = World.build()
    match who:
        case "admin of another tenant":
            api = Api(other.admin)
        case "token of another tenant":
            api = Api(token=other.token(*access.MUTATIONS[name].scopes))
        case "person without a tenant":
            api = Api(other.person(None))
        case _:
            user = scene.world.person(Role.GLOBAL_ADMIN)
            Membership.objects.filter(user=user).update(is_active=False)
            api = Api(user)
    before = everything()
    theirs = answer(api, name, scene)
    unknown = answer(
        api,
        name,
        Scene(
            scene.world,
            "sub_999999999",
            "sub_999999999",
            "can_999999999",
            "cal_999999999",
            scene.quote,
            scene.user,
            "",
            "ref_999999999",
        ),
    )
    wrong = Scene(scene.world, " sub_1", "sub_٣", "can_01", "\x00", scene.quote, scene.user, "", "ref_01")
    malformed = answer(api, name, wrong)
    assert theirs == unknown == malformed
    assert theirs["code"] == "NOT_FOUND"
    assert everything() == before


def test_another_tenants_removal_looks_unknown(scene: Scene) -> None:
    api = Api(token=World.build().token(Scope.SYNC))
    before = everything()
    for change in ({}, {"tenantExternalId": None}, {"tenantExternalId": "c-none"}, {"userExternalId": ""}):
        found = api(SETTLE, input={"removals": [{**scene.settlement, **change}]})["settleRemovals"]
        user = {**scene.settlement, **change}["userExternalId"]
        assert found == {"__typename": "SettleRemovalsSuccess", "settled": 0, "conflicts": [], "unknown": [user]}
    assert everything() == before


@pytest.mark.parametrize("name", sorted(OF_WEBHOOKS - {"registerWebhook"}))
def test_another_partners_webhook_looks_unknown(scene: Scene, name: str) -> None:
    api = Api(token=scene.world.token(*ACTING_SCOPES))
    before = everything()
    theirs = answer(api, name, scene)
    unknown = answer(api, name, Scene(scene.world, "", "", "", "", "", "", "whk_999999999", ""))
    malformed = answer(api, name, Scene(scene.world, "", "", "", "", "", "", "whk_01", ""))
    assert theirs == unknown == malformed
    assert theirs["code"] == "NOT_FOUND"
    assert everything() == before


QUERIES: dict[str, tuple[str, Variables]] = {
    "viewer": (
        VIEWER,
        lambda s: {},
    ),
    "subscriptions": (
        "{ subscriptions { totalCount edges { node { id } } } }",
        lambda s: {},
    ),
    "subscription": (
        "query($id: ID!) { subscription(id: $id) { id name } }",
        lambda s: {"id": s.online},
    ),
    "cancellationOptions": (
        "query($id: ID!) { cancellationOptions(subscriptionId: $id) { route headline } }",
        lambda s: {"id": s.online},
    ),
    "callbackRequest": (
        "query($id: ID!) { callbackRequest(id: $id) { id reference } }",
        lambda s: {"id": s.callback},
    ),
    "removalRequest": (
        FOLLOW,
        lambda s: {"id": s.removal},
    ),
    "callbackWindows": (
        WINDOWS,
        lambda s: {"id": s.over, "zone": "UTC"},
    ),
    "node": (
        "query($id: ID!) { node(id: $id) { __typename id } }",
        lambda s: {"id": s.canceled},
    ),
    "webhooks": (
        WEBHOOKS,
        lambda s: {},
    ),
    "events": (
        EVENTS,
        lambda s: {},
    ),
    "subscriptionByExternalId": (SUBSCRIPTION_BY_EXTERNAL_ID, lambda s: {"id": s.named("subscription")}),
    "tenantByExternalId": (TENANT_BY_EXTERNAL_ID, lambda s: {"id": s.named("tenant")}),
    "userByExternalId": (USER_BY_EXTERNAL_ID, lambda s: {"id": s.named("user")}),
}


@pytest.mark.parametrize("name", sorted(QUERIES))
@pytest.mark.parametrize("scope", list(Scope))
def test_tokens_read_by_scope(scene: Scene, name: str, scope: Scope, token: Callable[..., str]) -> None:
    document, variables = QUERIES[name]
    text = token(scope)
    PartnerToken.objects.update(partner=PARTNER)
    last_position()  # whoever asks for events first has them positioned
    before = everything()
    body = Api(token=text).raw(document, **variables(scene))
    if access.QUERIES[name].opens_to_scopes(frozenset({scope})):
        assert "errors" not in body
        assert body["data"][name]
    else:
        assert [error["extensions"]["code"] for error in body["errors"]] == ["NOT_PERMITTED"]
        assert not (body["data"] or {}).get(name)
    assert everything() == before


@pytest.mark.parametrize("name", sorted(set(QUERIES) - PARTNERS_ONLY))
@pytest.mark.parametrize("role", list(Role))
def test_people_of_every_role_read_everything(scene: Scene, name: str, role: Role) -> None:
    document, variables = QUERIES[name]
    assert Api(scene.world.person(role))(document, **variables(scene))[name]


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_strangers_read_nothing(scene: Scene, name: str) -> None:
    document, variables = QUERIES[name]
    body = Api().raw(document, **variables(scene))
    assert [error["extensions"]["code"] for error in body["errors"]] == ["NOT_AUTHENTICATED"]
    assert not (body["data"] or {}).get(name)


@pytest.mark.parametrize("name", sorted(set(QUERIES) - {"viewer"} - PARTNERS_ONLY))
def test_another_tenants_objects_are_null_without_an_error(scene: Scene, name: str) -> None:
    document, variables = QUERIES[name]
    other = World.build()
    for api in (Api(other.admin), Api(token=other.token(*ACTING_SCOPES))):
        found = api(document, **variables(scene))[name]
        assert found == ({"totalCount": 0, "edges": []} if name == "subscriptions" else None)


@pytest.mark.parametrize("tenant_id", ["ten_999999", "nonsense", "theirs"])
def test_a_filter_by_a_tenant_that_is_not_ours(scene: Scene, tenant_id: str) -> None:
    wanted = f"ten_{scene.world.tenant.pk}" if tenant_id == "theirs" else tenant_id
    body = Api(World.build().admin).raw(LIST, tenantId=wanted)
    assert body["errors"][0]["extensions"] == {"code": "NOT_FOUND", "path": ["tenantId"]}


@pytest.mark.parametrize("scope", list(Scope))
def test_names_of_users_take_their_own_scope(scene: Scene, scope: Scope, token: Callable[..., str]) -> None:
    body = Api(token=token(scope, Scope.READ)).raw(LICENSES, id=scene.online)
    if scope is Scope.READ_USERS:
        assert body["data"]["subscription"]["licenses"]["edges"]
    else:
        assert body["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"
        assert "READ_USERS" in body["errors"][0]["message"]
        assert "@contoso.example" not in str(body)


@pytest.mark.parametrize("scope", list(Scope))
def test_quotes_are_null_with_an_error_for_a_token_that_may_not_quote(
    scene: Scene, scope: Scope, token: Callable[..., str]
) -> None:
    query = "query($id: ID!) { cancellationOptions(subscriptionId: $id) { options { route quotes { id } } } }"
    body = Api(token=token(scope, Scope.READ)).raw(query, id=scene.online)
    online = next(o for o in body["data"]["cancellationOptions"]["options"] if o["route"] == "CANCEL_ONLINE")
    if scope in (Scope.QUOTE, Scope.CANCEL):
        assert online["quotes"]
    else:
        assert online["quotes"] is None
        assert body["errors"][0]["extensions"]["code"] == "NOT_PERMITTED"


@pytest.mark.parametrize(
    ("scope", "on", "can_act"),
    [
        (Scope.READ, "online", False),
        (Scope.CANCEL, "online", True),
        (Scope.REMOVE_USERS, "online", False),
        (Scope.CANCEL, "over", False),
        (Scope.REMOVE_USERS, "over", True),
        (Scope.CALLBACK, "over", True),
    ],
)
def test_can_act_is_about_the_scopes_of_what_is_open(scene: Scene, scope: Scope, on: str, can_act: bool) -> None:
    query = "query($id: ID!) { cancellationOptions(subscriptionId: $id) { canAct } }"
    found = Api(token=scene.world.token(scope, Scope.READ))(query, id=getattr(scene, on))
    assert found["cancellationOptions"]["canAct"] is can_act


def test_viewer_says_who_calls(scene: Scene) -> None:
    world = scene.world
    person = Api(world.admin)(VIEWER)["viewer"]
    assert (person["kind"], person["scopes"], person["email"]) == ("PERSON", [], world.admin.email)
    [edge] = person["tenants"]["edges"]
    assert (edge["node"]["role"], edge["node"]["tenant"]["name"]) == ("GLOBAL_ADMIN", world.tenant.name)
    token = Api(token=world.token(Scope.READ, Scope.CANCEL))(VIEWER)["viewer"]
    assert (token["kind"], token["scopes"], token["displayName"]) == ("PARTNER", ["CANCEL", "READ"], "Partner")
    assert token["tenants"]["edges"][0]["node"]["role"] is None


def test_every_kind_of_node(scene: Scene) -> None:
    world = scene.world
    api = Api(world.admin)
    license = License.objects.held().first()
    assert license
    refund = Cancellation.objects.get().refunds.get()
    ids = {
        "Tenant": f"ten_{world.tenant.pk}",
        "ProductSubscription": scene.online,
        "License": f"lic_{license.pk}",
        "DirectoryUser": scene.user,
        "Cancellation": scene.canceled,
        "Refund": f"ref_{refund.pk}",
        "CallbackRequest": scene.callback,
        "RemovalRequest": scene.removal,
    }
    query = "query($id: ID!) { node(id: $id) { __typename id } }"
    for typename, public_id in ids.items():
        assert api(query, id=public_id)["node"] == {"__typename": typename, "id": public_id}
        assert Api(World.build().admin)(query, id=public_id)["node"] is None
    for bad in ("", "x", "sub_", "sub_1 ", "SUB_1", "win_1", "sub_" + "9" * 30, "sub_1_0"):
        assert api(query, id=bad)["node"] is None


def test_a_token_never_rides_with_a_cookie(scene: Scene) -> None:
    api = Api(scene.world.admin, token=scene.world.token(Scope.READ))
    assert api(VIEWER)["viewer"]["kind"] == "PARTNER"


def test_last_used_is_kept_to_the_minute(scene: Scene) -> None:
    text = scene.world.token(Scope.READ)
    caller_of_token(text, NOW)
    assert PartnerToken.objects.latest("pk").last_used_at == NOW
    caller_of_token(text, NOW + timedelta(seconds=59))
    assert PartnerToken.objects.latest("pk").last_used_at == NOW
    caller_of_token(text, NOW + timedelta(seconds=60))
    assert PartnerToken.objects.latest("pk").last_used_at == NOW + timedelta(seconds=60)
    assert text not in str(PartnerToken.objects.values())


def test_the_table_names_every_door_and_the_tests_walk_it() -> None:
    root = schema._schema
    assert root.query_type
    assert root.mutation_type
    assert set(root.query_type.fields) == set(access.QUERIES) == set(QUERIES)
    assert set(root.mutation_type.fields) == {*access.MUTATIONS, *access.ACCOUNTS}
    assert set(access.MUTATIONS) == set(MUTATIONS)


def test_the_printed_table_is_the_table() -> None:
    printed = Path(__file__).parents[2] / "docs" / "access.md"
    assert printed.read_text() == access.as_markdown(), "run `make schema`"
